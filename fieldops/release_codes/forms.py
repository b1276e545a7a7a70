"""What the page of releases is asked, and in which words it says what opening a valve would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask_babel import gettext as _

from fieldops.release_codes.service import BEYOND_PLAN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fieldops.release_codes.service import Effect


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody has chosen so far; empty where nothing. `other` is a valve of no plan."""

    outage: str
    listed: str
    device: str
    other: str

    @property
    def valve(self) -> str:
        """The valve that is meant."""
        return self.other or self.listed


def read_asked(values: Mapping[str, str]) -> Asked:
    """Read what was chosen, of an address or of a form."""
    return Asked(
        *(values.get(name, "").strip()[:100] for name in ("outage", "valve", "device", "other")),
    )


def describe_effect(effect: Effect) -> list[tuple[str, str]]:
    """Say what opening a valve would do, each with its weight: good, warn or wrong."""
    said = []
    if effect.held_by:
        jobs = ", ".join(effect.held_by)
        said.append(("wrong", _("It must stay shut: %(jobs)s needs it.", jobs=jobs)))
    if effect.state == BEYOND_PLAN:
        said.append(
            (
                "warn",
                _(
                    "No plan of this outage holds it: a tablet may have closed it by a ring of its"
                    " own. Have the number read out twice."
                ),
            )
        )
    if not effect.is_known_shut:
        said.append(
            (
                "warn",
                _(
                    "Nothing of it being shut has been received yet, so nobody here can tell what"
                    " opening it does."
                ),
            )
        )
    elif effect.properties:
        said.append(
            (
                "good",
                _("%(count)s properties would have water again.", count=effect.properties),
            )
        )
    else:
        said.append(("warn", _("Nobody would have water again by this valve alone.")))
    if effect.fills_trench:
        said.append(
            (
                "warn",
                _("The repair is not recorded as done: water may reach the trench."),
            )
        )
    return said


def group_digits(code: str) -> str:
    """Write a code as it is read out, in two groups of four."""
    return f"{code[:4]} {code[4:]}"
