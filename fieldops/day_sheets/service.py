"""A crew's day: its jobs, what each may come to, the valves, whom to ask, and how all is called."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fieldops.access import Role
from fieldops.crews import service as crews
from fieldops.day_sheets import queries
from fieldops.events.queries import fetch_head
from fieldops.live_outages import service as live_outages
from fieldops.live_supply.queries import fetch_of_incident
from fieldops.map_proposals.service import list_outcomes
from fieldops.network.service import current_revision
from fieldops.order_book.service import list_own_done, list_own_jobs
from fieldops.order_process.service import find_process, read_policy
from fieldops.packs.queries import WHOLE
from fieldops.report_records.service import list_of_incidents

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.orm import Session

    from fieldops.access import Person
    from fieldops.crews.queries import Crew
    from fieldops.day_sheets.queries import WorkedDevice
    from fieldops.devices.service import Device
    from fieldops.live_outages.service import Picture
    from fieldops.order_book.queries import WorkOrder
    from fieldops.order_process.service import Process, Transition
    from fieldops.report_records.queries import Report

LASTS_S = 600
DONE_LASTS = dt.timedelta(hours=16)
"""As long as a sign-in, which is a shift."""

Worked = dict[tuple[str, int], "WorkedDevice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job with all that it may come to while nobody can be asked."""

    order: WorkOrder
    process: Process
    steps: tuple[Transition, ...]
    outages: list[Picture]
    reports: list[Report]

    @property
    def outage(self) -> Picture | None:
        """Give the order's own outage, or the only one of its incident."""
        own = [one for one in self.outages if one.live.key == self.order.outage_key]
        if own:
            return own[0]
        return self.outages[0] if len(self.outages) == 1 else None

    @property
    def properties_out(self) -> int | None:
        """Give the properties without water: an order younger than its outage was not told them."""
        if self.order.customers_out is not None or self.outage is None:
            return self.order.customers_out
        return self.outage.live.outage.properties_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a tablet is told of the day."""

    now: dt.datetime
    position: int
    person: Person
    device: Device | None
    crews: list[Crew]
    other_crews: list[Crew]
    policy: Mapping[str, float]
    jobs: list[Job]
    done: list[WorkOrder]
    districts: list[str]
    map_proposals: list[dict[str, Any]]
    worked: Worked = field(default_factory=dict)


def mark_day(session: Session, person: Person, device: Device | None, now: dt.datetime) -> str:
    """
    Tell in a word what somebody's day was made of: while it is the same, so is the day.

    Shifts begin and numbers of the policy change without an event: so it lasts ten minutes.
    """
    made_of = (
        person.id,
        device.key if device else 0,
        fetch_head(session),
        current_revision(session),
        int(now.timestamp()) // LASTS_S,
    )
    return "-".join(map(str, made_of))


def describe_day(session: Session, person: Person, device: Device | None, now: dt.datetime) -> Day:
    """
    Give somebody's day: the jobs of the own crews, open or closed of late, and none besides.

    A tablet has the pack of its own district; one of none that of the whole network.
    """
    # Read first: what happens meanwhile is told again rather than not at all.
    position = fetch_head(session)
    orders = list_own_jobs(session, person.id)
    pictures = _list_pictures(session, orders, now)
    reports = _list_reports(session, orders)
    visible = crews.list_visible_crews(session, person, now)
    own = [one for one in visible if person.id in {member.person_id for member in one.members}]
    jobs = [
        Job(
            order=order,
            process=find_process(session, order.process_version),
            steps=_list_steps(find_process(session, order.process_version), person),
            outages=_own_first(order, pictures.get(order.incident_key or 0, [])),
            reports=reports.get(order.incident_key or 0, []),
        )
        for order in orders
    ]
    return Day(
        now=now,
        position=position,
        person=person,
        device=device,
        crews=own,
        other_crews=[one for one in visible if one not in own],
        policy=read_policy(session),
        jobs=jobs,
        done=list_own_done(session, person.id, now - DONE_LASTS),
        districts=[device.district if device and device.district else WHOLE],
        map_proposals=list_outcomes(session, person.id),
        worked=_list_worked(session, [one for found in pictures.values() for one in found]),
    )


def _list_pictures(
    session: Session, orders: Iterable[WorkOrder], now: dt.datetime
) -> dict[int, list[Picture]]:
    keys = dict.fromkeys(order.incident_key for order in orders if order.incident_key is not None)
    return {
        key: [
            live_outages.show_outage(session, outage.id, now)
            for outage in fetch_of_incident(session, key)
        ]
        for key in keys
    }


def _list_reports(session: Session, orders: Iterable[WorkOrder]) -> dict[int, list[Report]]:
    keys = list({order.incident_key for order in orders if order.incident_key is not None})
    found: dict[int, list[Report]] = {key: [] for key in keys}
    for report in list_of_incidents(session, keys) if keys else []:
        if report.incident_key is not None:
            found[report.incident_key].append(report)
    return found


def _own_first(order: WorkOrder, pictures: list[Picture]) -> list[Picture]:
    return sorted(pictures, key=lambda one: (one.live.key != order.outage_key, one.live.key))


def _list_steps(process: Process, person: Person) -> tuple[Transition, ...]:
    """List what somebody of the order's crew may ever do, whatever state the order is in."""
    roles = {str(role) for role in person.roles}
    return tuple(
        each
        for each in process.transitions
        if roles & each.may
        and not (each.is_not_for_own_crew and roles & each.may == {str(Role.CREW)})
    )


def _list_worked(session: Session, pictures: Iterable[Picture]) -> Worked:
    wanted: dict[str, set[int]] = {}
    for picture in pictures:
        for valve in picture.live.valves:
            wanted.setdefault(valve.device_table, set()).add(valve.device_key)
    return queries.fetch_worked(session, wanted)
