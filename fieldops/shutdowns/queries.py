"""SQL of planned shutdowns, blackout hours and crews on shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, text, update

from fieldops.crews.models import CrewRow, CrewSkill, Shift
from fieldops.network.models import Customer, Pipe, Valve
from fieldops.shutdowns.models import Blackout, DemandHour, Shutdown

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedShutdown:
    """Work that needs the water off; without a slot until it is approved."""

    key: int
    id: str
    reason: str
    question: Mapping[str, Any]
    work_min: int
    status: str
    starts_at: dt.datetime | None
    ends_at: dt.datetime | None
    approval_no: str | None
    approved_by: str | None
    outage_key: int | None
    incident_key: int | None
    properties_out: int
    critical_out: int
    requested_at: dt.datetime
    requested_by: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BlackoutHours:
    """Hours of some weekdays (1 is Monday) in which a customer must have water."""

    key: int
    customer: str
    weekdays: tuple[int, ...]
    from_time: dt.time
    until_time: dt.time
    reason: str


@dataclass(frozen=True, slots=True)
class CrewShift:
    """When a crew that may work valves is on shift, and the last day it may; None for no end."""

    crew_key: int
    starts_at: dt.datetime
    ends_at: dt.datetime
    valid_until: dt.date | None


def insert_shutdown(session: Session, values: Mapping[str, Any]) -> PlannedShutdown:
    """Add a request."""
    row = session.scalars(insert(Shutdown).values(**values).returning(Shutdown)).one()
    return _as_shutdown(row)


def fetch_shutdown(
    session: Session, shutdown_id: str, *, for_update: bool = False
) -> PlannedShutdown | None:
    """Read one by its id."""
    wanted = select(Shutdown).where(Shutdown.id == shutdown_id)
    if for_update:
        wanted = wanted.with_for_update()
    row = session.scalars(wanted.execution_options(populate_existing=True)).one_or_none()
    return None if row is None else _as_shutdown(row)


def fetch_shutdowns(session: Session, limit: int = 200) -> list[PlannedShutdown]:
    """Read those that are not over, by their beginning, then the last that are."""
    rows = session.scalars(
        select(Shutdown)
        .order_by(
            Shutdown.status.in_(("done", "cancelled")),
            Shutdown.starts_at.asc().nulls_first(),
            Shutdown.key.desc(),
        )
        .limit(limit)
    )
    return [_as_shutdown(row) for row in rows]


def fetch_approved_between(
    session: Session, begin: dt.datetime, end: dt.datetime, *, but: int
) -> list[PlannedShutdown]:
    """Read the other shutdowns that are approved for some of a span of time."""
    rows = session.scalars(
        select(Shutdown)
        .where(
            Shutdown.status == "approved",
            Shutdown.key != but,
            Shutdown.starts_at < end,
            Shutdown.ends_at > begin,
        )
        .order_by(Shutdown.starts_at)
    )
    return [_as_shutdown(row) for row in rows]


def fetch_by_outage(session: Session, outage_key: int) -> PlannedShutdown | None:
    """Read the shutdown whose outage this is."""
    row = session.scalars(select(Shutdown).where(Shutdown.outage_key == outage_key)).one_or_none()
    return None if row is None else _as_shutdown(row)


def update_shutdown(session: Session, key: int, values: Mapping[str, Any]) -> PlannedShutdown:
    """Change one, and raise its version."""
    row = session.scalars(
        update(Shutdown)
        .where(Shutdown.key == key)
        .values(**values, version=Shutdown.version + 1)
        .returning(Shutdown)
        .execution_options(populate_existing=True)
    ).one()
    return _as_shutdown(row)


def _as_shutdown(row: Shutdown) -> PlannedShutdown:
    return PlannedShutdown(
        **{name: getattr(row, name) for name in PlannedShutdown.__dataclass_fields__}
    )


def fetch_factors(session: Session) -> list[float]:
    """Read what an hour without water weighs, from midnight on."""
    return list(session.scalars(select(DemandHour.factor).order_by(DemandHour.hour)))


def fetch_blackouts(session: Session, customer_keys: Sequence[int]) -> list[BlackoutHours]:
    """Read the blackout hours of some customers."""
    rows = session.execute(
        select(Blackout, Customer.id)
        .join(Customer, Customer.key == Blackout.customer_key)
        .where(text("blackout.customer_key = ANY(:keys)"))
        .order_by(Customer.id, Blackout.key),
        {"keys": list(customer_keys)},
    )
    return [
        BlackoutHours(
            key=row.key,
            customer=customer,
            weekdays=tuple(row.weekdays),
            from_time=row.from_time,
            until_time=row.until_time,
            reason=row.reason,
        )
        for row, customer in rows
    ]


def insert_blackout(session: Session, customer_key: int, values: Mapping[str, Any]) -> None:
    """Add blackout hours."""
    session.execute(insert(Blackout).values(customer_key=customer_key, **values))


def delete_blackout(session: Session, key: int) -> None:
    """Take blackout hours away."""
    session.execute(delete(Blackout).where(Blackout.key == key))


def fetch_customer_key(session: Session, customer_id: str) -> int | None:
    """Find a customer by the id that people know."""
    return session.scalar(select(Customer.key).where(Customer.id == customer_id))


def fetch_valve_shifts(session: Session, begin: dt.datetime, end: dt.datetime) -> list[CrewShift]:
    """Read the shifts of crews that may work valves, so far as they touch a span of time."""
    rows = session.execute(
        select(Shift.crew_key, Shift.starts_at, Shift.ends_at, CrewSkill.valid_until)
        .join(CrewRow, CrewRow.key == Shift.crew_key)
        .join(CrewSkill, CrewSkill.crew_key == Shift.crew_key)
        .where(
            CrewRow.is_active,
            CrewSkill.skill == "valve",
            Shift.kind == "shift",
            Shift.starts_at < end,
            Shift.ends_at > begin,
        )
    )
    return [CrewShift(*row) for row in rows]


def fetch_place(
    session: Session, pipes: Sequence[str], valves: Sequence[str]
) -> tuple[float, float] | None:
    """Give a point on the first of these pipes, or of these valves, that is in the network."""
    for table, ids in ((Pipe, pipes), (Valve, valves)):
        for one in ids:
            point = func.ST_PointOnSurface(table.geometry)
            row = session.execute(
                select(func.ST_X(point), func.ST_Y(point)).where(table.id == one)
            ).one_or_none()
            if row is not None:
                return row[0], row[1]
    return None
