"""Why somebody has water or none, and what it costs if a valve of the plan does not close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldops.errors import FieldopsError
from fieldops.outage_questions import queries
from fieldops.outage_questions.service import GATES, Case, UnknownThingError, device_rows, row_of
from gis.explain import SupplyPath, explain_block, explain_valve
from gis.isolation import isolate
from gis.network import Operability

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from fieldops.outage_questions.service import NamedRows, Question
    from gis.explain import Parted


def explain_supply(
    session: Session, question: Question, *, customer: str | None = None, valve: str | None = None
) -> dict[str, Any]:
    """
    Tell by which way a customer still has water or what parts it, or why a valve must be closed.

    Raises
    ------
    UnknownThingError
        If something named is not in the network.
    FieldopsError
        If neither a customer nor a valve is named.
    """
    case = Case.of(session, question)
    if valve:
        return {"valve": valve, "why": _explain_valve(case, valve)}
    if customer:
        return {"customer": customer, "feeds": _explain_customer(case, customer)}
    raise FieldopsError("Name a customer or a valve to explain.")


def _explain_valve(case: Case, valve: str) -> dict[str, Any] | None:
    keys, _ = queries.fetch_keys(case.session, {table: [valve] for table in GATES})
    rows = device_rows(case.stored, keys, valve)
    if not rows:
        raise UnknownThingError("There is no valve %(id)s.", id=valve)
    path = explain_valve(case.world, isolate(case.world, case.broken), rows[0])
    return _tell(case.rows, path) if path else None


def _explain_customer(case: Case, customer: str) -> list[dict[str, Any]]:
    keys, _ = queries.fetch_keys(case.session, {"customer": [customer]})
    row = row_of(case.stored, "customer", keys["customer"].get(customer, -1))
    if row < 0:
        raise UnknownThingError("There is no customer %(id)s.", id=customer)
    isolation, members = isolate(case.world, case.broken), case.world.members
    feeds = members.feeds_of_premises.of_blocks(np.array([row]))
    return [
        _tell(case.rows, explain_block(case.world, isolation, block))
        for block in members.feed_block[feeds].tolist()
        if block >= 0
    ]


def _tell(rows: NamedRows, found: SupplyPath | Parted) -> dict[str, Any]:
    rows.want("device", found.devices)
    if isinstance(found, SupplyPath):
        rows.want("pipe", found.pipes)
        rows.want("source", [found.source])
    rows.fetch()
    devices = [rows.id("device", row) for row in found.devices]
    if isinstance(found, SupplyPath):
        return {
            "has_supply": True,
            "source": rows.id("source", found.source),
            "devices": devices,
            "pipes": [rows.id("pipe", row) for row in found.pipes],
        }
    return {
        "has_supply": False,
        "parted_by": sorted(devices),
        "segment_is_between": found.segment_is_between,
    }


@dataclass(frozen=True, slots=True)
class Failure:
    """What it costs if one valve of a plan does not close."""

    valve: str
    more_valves: list[str]
    more_connections: int
    more_properties: int
    more_critical: list[str]
    isolated: bool


def preview_failures(session: Session, question: Question) -> list[Failure]:
    """Redo a plan once for each of its valves, as if that one could not be closed."""
    case = Case.of(session, question)
    plan = isolate(case.world, case.broken)
    found = {}
    for row in plan.valves_to_close.tolist():
        world = case.world.with_facts(
            np.array([row], dtype=np.int32), operability=Operability.INOPERABLE
        )
        found[row] = isolate(world, case.broken)
    network, rows = case.world.network, case.rows
    more_lost = {
        row: np.setdiff1d(wider.premises_lost, plan.premises_lost) for row, wider in found.items()
    }
    for row, wider in found.items():
        rows.want("device", [row, *wider.valves_to_close.tolist()])
        more = more_lost[row]
        rows.want("customer", more[network.premises_is_critical[more]])
    rows.fetch()
    return [
        Failure(
            valve=rows.id("device", row),
            more_valves=rows.sorted_ids(
                "device", np.setdiff1d(wider.valves_to_close, plan.valves_to_close)
            ),
            more_connections=more_lost[row].size,
            more_properties=int(network.premises_properties[more_lost[row]].sum()),
            more_critical=rows.sorted_ids(
                "customer", more_lost[row][network.premises_is_critical[more_lost[row]]]
            ),
            isolated=wider.is_isolated,
        )
        for row, wider in found.items()
    ]
