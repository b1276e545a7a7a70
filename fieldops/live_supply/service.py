"""Several jobs at once on one network: who is dry, since when, and whose trench is kept dry."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldops.live_supply import queries
from fieldops.live_supply.queries import (
    OpenRow,
    Outage,
    Plan,
    Regained,
    Tag,
    Tally,
    WorkedValve,
)
from fieldops.network.queries import POSITIONS
from fieldops.network.service import StoredNetwork, current_network
from fieldops.outage_questions.service import GATES, keys_of, row_of
from gis.isolation import Break, blocks_of, isolate_blocks
from gis.live_supply import NO_ROWS, LiveSupply, ValveWork, as_rows, premises_lost_to
from gis.network import Operability

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.orm import Session

    from fieldops.live_supply.queries import Place
    from gis.network import Rows
    from gis.world import World

__all__ = ["Outage", "Plan", "Situation", "Tag", "Tally", "WorkedValve", "is_shut", "is_stuck"]

HELD_BY = ("close", "pump", "source", "surplus")
"""Parts in a plan by which a shut device belongs to the closed set of its job."""

OPEN_AGAIN = frozenset({"reopened", "handed_over", "opened"})
"""States of what a job has opened."""


def is_shut(valve: WorkedValve) -> bool:
    """Tell whether a job holds a device shut; one that passes only if somebody accepted it."""
    if valve.state == "passing":
        return valve.accepted_by is not None
    return valve.state in {"closed_tight", "will_not_reopen"}


def is_stuck(valve: WorkedValve) -> bool:
    """Tell whether a device was tried and bounds nothing."""
    if valve.state == "passing":
        return valve.accepted_by is None
    return valve.state in {"will_not_close", "not_found"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyChange:
    """What an event did to the customers."""

    lost: int
    regained: list[Regained]
    """Those who have water again, not those whom another job still keeps dry."""
    touched: frozenset[int] = frozenset()
    """The outages, by key, whose numbers have changed."""


@dataclass(slots=True, eq=False)
class Situation:
    """
    All jobs under way, and the network before any of them.

    Drills know of each other and of what real jobs have closed; real jobs know of no drill.
    """

    session: Session
    stored: StoredNetwork
    outages: dict[int, Outage]
    valves: dict[int, dict[Place, WorkedValve]]
    before: World
    worked: dict[Place, str] = field(default_factory=dict)
    """Valves that a job has shut or opened, and how they stood before."""
    _supplies: dict[tuple[int, ...], LiveSupply] = field(default_factory=dict)

    @classmethod
    def read(cls, session: Session, *, is_drill: bool) -> Situation:
        """Read how everything stands."""
        outages = {one.key: one for one in queries.fetch_live(session, is_drill=is_drill)}
        valves: dict[int, dict[Place, WorkedValve]] = {key: {} for key in outages}
        for valve in queries.fetch_valves(session, outages):
            valves[valve.outage_key][valve.place] = valve
        stored = current_network(session)
        situation = cls(session, stored, outages, valves, stored.world)
        situation.forget()
        return situation

    @property
    def stored_before(self) -> StoredNetwork:
        """The network as it was before any of the work, for questions."""
        return replace(self.stored, world=self.before)

    def add(self, outage: Outage) -> None:
        """Take an outage in, or its new state."""
        self.outages[outage.key] = outage
        self.valves.setdefault(outage.key, {})

    def read_valves(self, outage_key: int) -> None:
        """Read the valves of an outage anew."""
        rows = queries.fetch_valves(self.session, [outage_key])
        self.valves[outage_key] = {valve.place: valve for valve in rows}
        self.forget()

    def forget(self) -> None:
        """Take the network apart anew after a valve has changed."""
        self._supplies.clear()
        valves = [one for each in self.valves.values() for one in each.values()]
        for valve in valves:
            if is_shut(valve) or valve.state == "opened":
                self.worked.setdefault(valve.place, valve.position_before)
        self.before = _before(self.stored, self.worked, valves)

    def change_valve(self, valve: WorkedValve, **values: Any) -> WorkedValve:  # noqa: ANN401 - any column
        """Write how a valve stands now."""
        queries.update_valve(self.session, valve.key, values)
        after = replace(valve, **values)
        self.valves[valve.outage_key][valve.place] = after
        self.forget()
        return after

    def suppose_open(self, valves: Sequence[WorkedValve]) -> Situation:
        """Give the situation in which some valves stood open; nothing is written."""
        supposed = {key: dict(each) for key, each in self.valves.items()}
        for valve in valves:
            state = "opened" if valve.role == "refeed" else "reopened"
            supposed[valve.outage_key][valve.place] = replace(valve, state=state)
        return replace(self, valves=supposed, _supplies={})

    def device_row(self, place: Place) -> int:
        """Give the row of a device; -1 if the network has it no more."""
        table, key = place
        if table == "source":
            return row_of(self.stored, "source", key)
        return self.stored.keys.device_row(table, key)

    def place_of(self, row: int) -> Place:
        """Give the table and key of a device's row."""
        return self.stored.keys.device_table(row), int(self.stored.keys.devices[row])

    def work_of(self, outage_key: int) -> ValveWork:
        """Give what a job has done to the network."""
        closed: list[int] = []
        opened: list[int] = []
        sources: list[int] = []
        for valve in self.valves[outage_key].values():
            row = self.device_row(valve.place)
            if row < 0:
                continue
            if valve.state == "opened":
                opened.append(row)
            elif is_shut(valve):
                (sources if valve.device_table == "source" else closed).append(row)
        return ValveWork(as_rows(closed), as_rows(opened), as_rows(sources))

    def supply(self, outage_keys: Iterable[int] | None = None) -> LiveSupply:
        """Let the water run with the work of some jobs done, by default of all."""
        keys = tuple(sorted(self.outages if outage_keys is None else outage_keys))
        if keys not in self._supplies:
            work = ValveWork.of_all([self.work_of(key) for key in keys])
            segments = NO_ROWS if self.before.has_sources else self._segments(keys)
            self._supplies[keys] = LiveSupply.of(self.before, work, segments)
        return self._supplies[keys]

    def broken_blocks(self, outage_key: int) -> Rows:
        """Give the blocks that are open to a job's trench."""
        return blocks_of(self.before, self._break_of(self.outages[outage_key]))

    def is_trench_dry(self, outage_key: int) -> bool:
        """Tell whether no water reaches a job's trench."""
        return self.supply().is_trench_dry(self.broken_blocks(outage_key))

    def guards(self, outage_key: int) -> list[Place]:
        """List the closed devices each of which alone keeps a job's trench dry."""
        rows = self.supply().find_guards(self.broken_blocks(outage_key))
        return [self.place_of(row) for row in rows.tolist()]

    def find_stranded(self, outage_key: int) -> Rows:
        """List the premises that stay dry though all opens that does: behind stuck valves."""
        stuck = {
            place: valve
            for place, valve in self.valves[outage_key].items()
            if valve.state in {"will_not_reopen", "opened"}
        }
        if all(valve.state == "opened" for valve in stuck.values()):
            return NO_ROWS
        supposed = replace(self, valves={**self.valves, outage_key: stuck}, _supplies={})
        return supposed.supply([outage_key]).premises_dry()

    def write_guards(self) -> None:
        """Write down for the database which valves keep whose trench dry, until it is repaired."""
        guards = {
            key: self.guards(key) if one.status == "open" and one.repaired_at is None else []
            for key, one in self.outages.items()
        }
        queries.replace_guards(self.session, guards)

    def customer_keys(self, premises: Rows) -> list[int]:
        """Give the keys of premises."""
        keys: list[int] = keys_of(self.stored, "customer")[premises].tolist()
        return keys

    def write_supply(self, outage_key: int, at: dt.datetime) -> SupplyChange:
        """
        Write who became dry and who has water again since the last event.

        Somebody is dry by a job as soon as its own closed valves alone would keep her dry; where
        only those of several jobs together do, by the job in whose plan she stands, else by the
        latest. A job gives over whom the others alone keep dry.
        """
        rows = queries.fetch_open_rows(self.session, list(self.outages))
        ledger = _Ledger(
            outage_key,
            rows,
            own=set(self.customer_keys(self.supply([outage_key]).premises_dry())),
            every=set(self.customer_keys(self.supply().premises_dry())),
        )
        others = [key for key in self.outages if key != outage_key]
        if others:
            theirs = self.customer_keys(self.supply(others).premises_dry())
            ledger.give_over(set(theirs), max(others))
        ledger.end()
        session, history = self.session, self._history(at)
        customer_of = {row.key: row.customer_key for row in rows}
        for moment, keys in history.sort(ledger.lost, customer_of, is_dry=True).items():
            queries.mark_lost(session, keys, moment)
        for (key, cause), customers in ledger.new.items():
            for moment, some in history.sort(customers, None, is_dry=True).items():
                new = queries.NewRows.of(some, cause)
                queries.insert_intervals(session, key, new, lost_at=moment)
        queries.mark_restored(session, ledger.given, at)
        regained = []
        for moment, keys in history.sort(ledger.ended, customer_of, is_dry=False).items():
            regained += queries.mark_restored(session, keys, moment)
        return SupplyChange(
            lost=len(ledger.lost) + sum(len(each) for each in ledger.new.values()),
            regained=regained,
            touched=frozenset(ledger.touched | {one.outage_key for one in regained}),
        )

    def moments_since(self, at: dt.datetime) -> list[dt.datetime]:
        """List a moment, and all later ones at which a valve was worked: some is told late."""
        found = {at}
        for each in self.valves.values():
            for valve in each.values():
                is_open = valve.state in OPEN_AGAIN
                worked_at = valve.reopened_at if is_open else valve.closed_at
                if worked_at is not None and worked_at > at and (is_open or is_shut(valve)):
                    found.add(worked_at)
        return sorted(found)

    def as_it_stood(self, moment: dt.datetime) -> Situation:
        """Give the situation without what was done to the valves after a moment."""
        stood = {
            key: {place: _as_it_stood(valve, moment) for place, valve in each.items()}
            for key, each in self.valves.items()
        }
        return replace(self, valves=stood, _supplies={})

    def dry_trench_since(self, outage_key: int, at: dt.datetime) -> dt.datetime:
        """Give the moment, that one or later, from which on no water reached a job's trench."""
        since = at
        for moment in reversed(self.moments_since(at)):
            if not self.as_it_stood(moment).is_trench_dry(outage_key):
                break
            since = moment
        return since

    def _history(self, at: dt.datetime) -> _History:
        moments = self.moments_since(at)
        if len(moments) == 1:
            return _History(at)
        every = [self.as_it_stood(one).supply().premises_dry() for one in moments]
        dry = [set(self.customer_keys(rows)) for rows in every]
        return _History(at, list(zip(moments, dry, strict=True)))

    def closed_sets(self) -> dict[int, Rows]:
        """Give what each job has closed or is going to close."""
        found = {}
        for key, valves in self.valves.items():
            found[key] = as_rows(
                row
                for valve in valves.values()
                if valve.role in HELD_BY
                and valve.device_table != "source"
                and not is_stuck(valve)
                and (is_shut(valve) or (valve.role != "surplus" and valve.state == "to_close"))
                and (row := self.device_row(valve.place)) >= 0
            )
        return found

    def find_joint(self, overlapping: Mapping[int, Sequence[int]]) -> dict[int, Rows]:
        """
        List who is dry under several jobs together though fine under each, by the latest job.

        `overlapping` gives for each outage the earlier ones that are under way at the same time.
        """
        sets = self.closed_sets()
        alone: dict[int, Rows] = {}
        found: dict[int, Rows] = {}
        told = NO_ROWS
        for key in sorted(overlapping):
            earlier = overlapping[key]
            if not earlier:
                continue
            for one in (key, *earlier):
                if one not in alone:
                    alone[one] = premises_lost_to(self.before, sets[one])
            union = np.unique(np.concatenate([sets[one] for one in (key, *earlier)]))
            lost = premises_lost_to(self.before, union.astype(np.int32))
            fine = np.concatenate([told, *(alone[one] for one in (key, *earlier))])
            found[key] = np.setdiff1d(lost, fine)
            told = np.union1d(told, found[key])
        return found

    def _break_of(self, outage: Outage) -> Break:
        keys = outage.question["keys"]
        stored = self.stored

        def rows(kind: str) -> list[int]:
            return [row for key in keys[kind] if (row := row_of(stored, kind, key)) >= 0]

        lengths = self.before.network.pipe_length_m
        pipes = [
            (row, None if at_m is None else min(float(at_m), float(lengths[row])))
            for key, at_m in keys["pipe"]
            if (row := row_of(stored, "pipe", key)) >= 0
        ]
        devices = [self.device_row((table, key)) for table, key in keys["device"]]
        return Break(
            pipes=pipes,
            nodes=rows("node"),
            hydrants=rows("hydrant"),
            devices=[row for row in devices if row >= 0],
        )

    def _segments(self, keys: Iterable[int]) -> Rows:
        """List the blocks that jobs drain, by the valves as they were before."""
        found = [isolate_blocks(self.before, self.broken_blocks(key)).blocks_shut for key in keys]
        return np.unique(np.concatenate([NO_ROWS, *found])).astype(np.int32)


def _as_it_stood(valve: WorkedValve, moment: dt.datetime) -> WorkedValve:
    """Give a valve as it stood at a moment, by the times of its last closing and opening."""
    was_shut_by_then = valve.closed_at is not None and valve.closed_at <= moment
    if is_shut(valve) and not was_shut_by_then:
        return replace(valve, state="to_close", accepted_by=None)
    is_later = valve.reopened_at is not None and valve.reopened_at > moment
    if valve.state not in OPEN_AGAIN or not is_later:
        return valve
    if valve.state == "opened":
        return replace(valve, state="to_open")
    return replace(valve, state="closed_tight") if was_shut_by_then else valve


@dataclass(frozen=True, slots=True)
class _History:
    """Who was dry at the moments since a deed; empty where nothing was done after it."""

    at: dt.datetime
    dry: Sequence[tuple[dt.datetime, set[int]]] = ()

    def sort(
        self, rows: Sequence[int], customer_of: Mapping[int, int] | None, *, is_dry: bool
    ) -> dict[dt.datetime, list[int]]:
        """Sort rows by the moment since when their customers are dry, or are not."""
        found: dict[dt.datetime, list[int]] = {}
        for row in rows:
            customer = customer_of[row] if customer_of else row
            since = self.at
            for moment, dry in reversed(self.dry):
                if (customer in dry) != is_dry:
                    break
                since = moment
            found.setdefault(since, []).append(row)
        return found


class _Ledger:
    """Works out whose interval begins and ends, by which job."""

    def __init__(
        self, acting: int, rows: Sequence[OpenRow], *, own: set[int], every: set[int]
    ) -> None:
        self.acting = acting
        self.own, self.every = own, every
        self.dry: dict[int, dict[int, int | None]] = {acting: {}}
        """Of each job, who is dry by it and the row that says so; None for a new one."""
        self.expected: dict[int, dict[int, int]] = {}
        for row in rows:
            if row.is_lost:
                self.dry.setdefault(row.outage_key, {})[row.customer_key] = row.key
            else:
                self.expected.setdefault(row.outage_key, {})[row.customer_key] = row.key
        self.lost: list[int] = []
        self.given: list[int] = []
        self.ended: list[int] = []
        self.new: dict[tuple[int, str], list[int]] = {}
        self.touched = {acting}
        self._latest = max([acting, *self.dry, *self.expected])
        for customer in sorted(own - self.dry[acting].keys()):
            self._begin(acting, customer, "unforeseen")
        told = {customer for each in self.dry.values() for customer in each}
        for customer in sorted(every - told):
            self._begin(self._holder_of(customer), customer, "joint")

    def _holder_of(self, customer: int) -> int:
        """Choose the job in whose plan somebody stands: the one worked on, else the latest."""
        jobs = [key for key, each in self.expected.items() if customer in each]
        if self.acting in jobs:
            return self.acting
        return max(jobs) if jobs else self._latest

    def _begin(self, outage_key: int, customer: int, cause: str) -> None:
        row = self.expected.get(outage_key, {}).pop(customer, None)
        self.dry.setdefault(outage_key, {})[customer] = row
        self.touched.add(outage_key)
        if row is None:
            self.new.setdefault((outage_key, cause), []).append(customer)
        else:
            self.lost.append(row)

    def give_over(self, theirs: set[int], latest: int) -> None:
        """Leave to the other jobs whom they alone keep dry."""
        mine = self.dry[self.acting]
        for customer in sorted((theirs - self.own) & mine.keys()):
            row = mine.pop(customer)
            if row is None:
                continue
            self.given.append(row)
            if not any(customer in each for each in self.dry.values()):
                holder = self._holder_of(customer)
                self._begin(latest if holder == self.acting else holder, customer, "joint")

    def end(self) -> None:
        """End the intervals of all who have water."""
        for each in self.dry.values():
            self.ended += [
                row for customer, row in each.items() if customer not in self.every and row
            ]


def _before(
    stored: StoredNetwork, worked: Mapping[Place, str], valves: Sequence[WorkedValve]
) -> World:
    """Give the network with every valve that a live job has worked as it was before."""

    def gate_row(place: Place) -> int:
        return stored.keys.device_row(*place) if place[0] in GATES else -1

    was = {gate_row(place): POSITIONS.index(position) for place, position in worked.items()}
    was.pop(-1, None)
    rows, world = as_rows(was), stored.world
    position = np.array([was[row] for row in rows.tolist()], dtype=np.int8)
    if (world.facts.position[rows] != position).any():
        world = world.with_facts(rows, position=position)
    # What a crew has closed can be closed, whatever was recorded of it before.
    shut = as_rows(
        row
        for valve in valves
        if is_shut(valve) and valve.state != "will_not_reopen"
        if (row := gate_row(valve.place)) >= 0
    )
    facts = world.facts
    cannot = (facts.operability[shut] == Operability.INOPERABLE) | ~facts.reachable[shut]
    if cannot.any():
        world = world.with_facts(shut[cannot], operability=Operability.OPERABLE, reachable=True)
    return world
