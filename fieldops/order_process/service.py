"""Which steps an order may take, what each needs, and how the process is changed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fieldops.errors import NotFoundError
from fieldops.order_process import queries
from fieldops.order_process.queries import ANY_STATE, BEFORE_HOLD, SAME, Process, Stage, Transition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

__all__ = ["BEFORE_HOLD", "SAME", "Process", "Stage", "Transition", "find_process"]

GIVEN = "@given"
"""In a need's "when": the field has any value at all."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a step's needs came to: the values read, and what lacks or is not right."""

    values: dict[str, Any] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()


def find_process(session: Session, version: int) -> Process:
    """
    Give one version of the process; a version never changes, so it is read once.

    Raises
    ------
    NotFoundError
        If there is no such version.
    """
    kept: dict[int, Process] = session.info.setdefault("kept", {}).setdefault("processes", {})
    if version not in kept:
        process = queries.fetch_process(session, version)
        if process is None:
            raise NotFoundError("There is no version %(version)s of the process.", version=version)
        kept[version] = process
    return kept[version]


def newest_version(session: Session) -> int:
    """Give the version with which an order begins now."""
    return queries.fetch_newest_version(session)


def find_transition(
    process: Process, state: str, action: str, facts: Mapping[str, Any]
) -> Transition | None:
    """Give the step that this action is in this state, for an order of which this is known."""
    for each in process.transitions:
        if (
            each.action == action
            and (state in each.from_states or ANY_STATE in each.from_states)
            and fits(each.only_when, facts)
        ):
            return each
    return None


def fits(conditions: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    """Tell whether what is known has, for each field named, one of the values listed."""
    return all(
        (GIVEN in wanted and is_given(facts.get(name))) or facts.get(name) in wanted
        for name, wanted in conditions.items()
    )


def is_given(value: object) -> bool:
    """Tell whether somebody has filled it in: false counts, an empty text does not."""
    return value is not None and value not in ("", [], {})


def check_needs(
    transition: Transition, facts: Mapping[str, Any], body: Mapping[str, Any], now: dt.datetime
) -> Checked:
    """
    Hold what is known and what is said now against a step's needs.

    `facts` is what the order has already; a need that is "is_fresh", and every reason, must be
    said anew.
    """
    known = {**facts, **body}
    values, lacking = {}, []
    for need in transition.needs:
        name = need.get("field")
        if name is None or not is_wanted(need, known):
            continue
        is_fresh = need.get("is_fresh") or name in {"reason", "resume_by", "crew", "text"}
        value = body.get(name) if is_fresh else known.get(name)
        read = read_value(need, value, now)
        if read is None:
            lacking.append(name)
        else:
            values[name] = read
    return Checked(values, tuple(lacking))


def is_wanted(need: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Tell whether a need stands for an order of which this is known."""
    if not fits(need.get("when", {}), known):
        return False
    return not is_given(known.get(need.get("unless", "")))


def read_value(  # noqa: PLR0911 - one a kind
    need: Mapping[str, Any], value: object, now: dt.datetime
) -> Any:  # noqa: ANN401 - whatever the kind of need is
    """Read a value as its need wants it; None if it is not that."""
    match need["kind"]:
        case "yes":
            return True if value in (True, "yes", "on", "true", "1") else None
        case "number":
            return _read_number(need, value)
        case "choice":
            return value if value in need["choices"] else None
        case "all":
            given = [value] if isinstance(value, str) else value
            is_all = isinstance(given, (list, tuple)) and set(need["choices"]) <= set(given)
            return list(need["choices"]) if is_all else None
        case "time" | "later":
            moment = read_moment(value)
            if moment is None or (need["kind"] == "later" and moment <= now):
                return None
            return moment.isoformat()
        case "photo":
            digits = value.lower() if isinstance(value, str) else ""
            is_hash = len(digits) == 64 and set(digits) <= set("0123456789abcdef")
            return digits if is_hash else None
        case _:
            text = value.strip() if isinstance(value, str) else ""
            return text[:2000] or None


def _read_number(need: Mapping[str, Any], value: object) -> float | None:
    try:
        number = float(value) if isinstance(value, (int, float, str)) else None
    except ValueError:
        return None
    if number is None or number != number:  # noqa: PLR0124 - NaN
        return None
    is_within = need.get("min", number) <= number <= need.get("max", number)
    return number if is_within else None


def read_moment(value: object) -> dt.datetime | None:
    """Read a moment with its zone, as ISO 8601 has it; None if it is none."""
    try:
        moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
