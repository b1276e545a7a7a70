"""What a request about the network may say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fieldops.errors import FieldopsError
from fieldops.network.queries import OPERABILITIES, POSITIONS
from fieldops.network.service import FactsWish

if TYPE_CHECKING:
    from collections.abc import Mapping

CHOICES = {"position": POSITIONS, "operability": OPERABILITIES, "reachable": (True, False)}


def read_facts_wish(body: object) -> FactsWish:
    """
    Read which facts of a valve to record.

    Raises
    ------
    FieldopsError
        If it is no object, names anything else, or names nothing.
    """
    if not isinstance(body, dict) or not body.keys() <= {*CHOICES, "base_revision"}:
        raise FieldopsError(
            "Send a JSON object with position, operability or reachable, and base_revision."
        )
    facts: dict[str, Any] = {name: body[name] for name in CHOICES if body.get(name) is not None}
    if not facts:
        raise FieldopsError("Name at least one of position, operability and reachable.")
    for name, value in facts.items():
        # True == 1, so the type counts too.
        if not any(value == choice and type(value) is type(choice) for choice in CHOICES[name]):
            raise FieldopsError(
                '"%(name)s" must be one of %(choices)s.',
                name=name,
                choices=", ".join(str(choice) for choice in CHOICES[name]),
            )
    base = body.get("base_revision")
    if base is not None and (type(base) is not int or not 0 <= base < 2**63):
        raise FieldopsError('"%(name)s" must be a whole number.', name="base_revision")
    return FactsWish(**facts, base_revision=base)


def read_since(arguments: Mapping[str, str]) -> int:
    """
    Read from which revision on changes are wanted; 0 where nothing is said.

    Raises
    ------
    FieldopsError
        If it is no whole number.
    """
    since = arguments.get("since", "0")
    if not (since.isascii() and since.isdigit() and len(since) < 19):
        raise FieldopsError('"%(name)s" must be a whole number.', name="since")
    return int(since)
