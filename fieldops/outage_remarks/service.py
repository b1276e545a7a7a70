"""Remarks on an answer: what was assumed, what is doubtful, what was not judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldops.outage_questions.service import GATES
from gis.network import Operability
from gis.rulings import find_doubtful, find_stuck
from gis.tanks import find_tank_fed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fieldops.outage_questions.queries import Device
    from fieldops.outage_questions.service import Case, NamedRows
    from gis.network import Rows
    from gis.rulings import Ruling
    from gis.tanks import TankFed


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to know about the answer; `id` names what it is about, None for the whole."""

    code: str
    id: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Doubts:
    """Devices and tanks that the answer owes a word about."""

    stuck: Rows
    doubtful: Rows
    tank_fed: list[TankFed]

    @classmethod
    def of(cls, ruling: Ruling, other: Ruling | None) -> Doubts:
        """Find them in an answer, and in the other one with unknown valves closed."""
        return cls(
            find_stuck(ruling),
            find_doubtful(ruling, other),
            find_tank_fed(ruling.world, ruling.isolation),
        )

    def want(self, rows: NamedRows) -> None:
        """Note the ids that the remarks name."""
        rows.want("device", np.concatenate([self.stuck, self.doubtful]).tolist())
        for tank in self.tank_fed:
            rows.want("source", tank.sources)


def list_remarks(
    case: Case,
    ruling: Ruling,
    devices: Mapping[int, Device],
    doubts: Doubts,
    *,
    is_by_road: bool,
) -> list[Remark]:
    """Say all there is to know about an answer; `devices` are the border and the stuck, by row."""
    found, ids = ruling.isolation, case.rows.sorted_ids
    remarks = list(_of_break(case))
    remarks += [Remark("source-on-segment", one) for one in ids("source", found.sources_shut)]
    if not found.has_sources:
        remarks.append(Remark("no-source"))
    remarks += _of_valves(case, ruling, devices, doubts)
    remarks += _of_tanks(doubts.tank_fed, case.rows)
    remarks += [
        Remark("refeed-crosses-boundary", case.rows.id("device", one.device))
        for one in ruling.refeeds
        if one.crosses_boundary
    ]
    remarks += _of_customers(ruling)
    if found.valves_to_close.size:
        remarks.append(Remark("travel-by-road" if is_by_road else "travel-estimated"))
    remarks.append(Remark("low-pressure-not-judged"))
    return list({(one.code, one.id): one for one in remarks}.values())


def _of_break(case: Case) -> Iterator[Remark]:
    first_part = case.world.blocks.first_part
    names = [text_id for text_id, _ in case.question.pipes]
    for text_id, (row, at_m) in zip(names, case.broken.pipes, strict=True):
        parts = int(first_part[row + 1] - first_part[row])
        if not case.world.network.pipe_is_open[row]:
            yield Remark("pipe-recorded-closed", text_id)
        if at_m is None and parts > 1:
            yield Remark("whole-pipe", text_id, {"count": parts})


def _of_valves(
    case: Case, ruling: Ruling, devices: Mapping[int, Device], doubts: Doubts
) -> Iterator[Remark]:
    """Tell which valves stand in the way, and what is not sure of those at the border."""
    facts = case.world.facts
    for row in doubts.stuck.tolist():
        is_stuck = facts.operability[row] == Operability.INOPERABLE
        code = "valve-inoperable" if is_stuck else "valve-unreachable"
        yield Remark(code, case.rows.id("device", row))
    for row in doubts.doubtful.tolist():
        yield Remark("position-unknown", case.rows.id("device", row))
    to_close = set(ruling.isolation.valves_to_close.tolist())
    said = {*ruling.border.tolist(), *doubts.stuck.tolist()}
    for row in sorted(said, key=lambda row: devices[row].id):
        is_unknown = bool(facts.operability[row] == Operability.UNKNOWN)
        yield from _of_valve(devices[row], is_to_close=row in to_close, is_unknown=is_unknown)


def _of_valve(device: Device, *, is_to_close: bool, is_unknown: bool) -> Iterator[Remark]:
    if device.table in GATES and device.is_position_assumed:
        yield Remark("position-assumed", device.id)
    if device.extra.get("assumed_layer") is True:
        yield Remark("assumed-valve-layer", device.id)
    elif is_to_close and device.last_exercised_on is None:
        yield Remark("valve-never-exercised", device.id)
    elif is_to_close and is_unknown:
        yield Remark("operability-unknown", device.id, {"date": str(device.last_exercised_on)})


def _of_tanks(tank_fed: list[TankFed], rows: NamedRows) -> Iterable[Remark]:
    """Tell who lives on tanks, and for how long."""
    for part in tank_fed:
        names = rows.sorted_ids("source", part.sources)
        params = {"tanks": ", ".join(names), "count": int(part.premises.size)}
        if part.hours is None:
            code = "tank-fed-unknown" if part.premises.size else "tank-fed"
            yield Remark("tank-fed", names[0], {**params, "hours": None, "form": code})
        else:
            yield Remark("tank-fed", names[0], {**params, "hours": round(part.hours, 1)})


def _of_customers(ruling: Ruling) -> Iterator[Remark]:
    network, lost = ruling.world.network, ruling.isolation.premises_lost
    unknown = int((network.premises_people[lost] < 0).sum())
    if unknown:
        yield Remark("people-unknown", None, {"count": unknown})
    guessed = int(network.premises_is_guessed[lost].sum())
    if guessed:
        yield Remark("customer-guessed", None, {"count": guessed})
