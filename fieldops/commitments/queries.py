"""SQL of the calendars and of the policy of limits."""

from __future__ import annotations

import datetime as dt  # noqa: TC003
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select, text, update
from sqlalchemy import insert as sql_insert
from sqlalchemy.dialects.postgresql import insert

from fieldops.clocks.models import CalendarDay, ClockLimit, WorkingHours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Day:
    """A day that is known to be a workday or a holiday."""

    day: dt.date
    is_workday: bool
    title: str | None
    is_edited: bool


@dataclass(frozen=True, slots=True)
class Hours:
    """A span of every workday."""

    key: int
    opens: dt.time
    closes: dt.time


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A row of the policy; None fits any."""

    key: int = 0
    clock_kind: str
    limit_s: int
    starts_at: str
    is_external: bool
    source: str
    valid_from: dt.date
    valid_to: dt.date | None = None
    work_kind: str | None = None
    severity: str | None = None
    diameter_from_mm: float | None = None
    diameter_to_mm: float | None = None
    area_class: str | None = None
    time_class: str | None = None
    calendar_id: str = "always"
    is_stopped_by_holds: bool = True


def fetch_days(session: Session, calendar_id: str, year: int) -> list[Day]:
    """Read the days of a year that are known."""
    rows = session.execute(
        select(CalendarDay)
        .where(CalendarDay.calendar_id == calendar_id)
        .where(func.extract("year", CalendarDay.day) == year)
        .order_by(CalendarDay.day)
    )
    return [Day(row.day, row.is_workday, row.title, row.is_edited) for row in rows.scalars()]


def insert_days(session: Session, calendar_id: str, days: Sequence[Day]) -> None:
    """Keep days, unless somebody has edited them; an edited day replaces any."""
    query = insert(CalendarDay)
    values = {name: query.excluded[name] for name in ("is_workday", "title", "is_edited")}
    session.execute(
        query.on_conflict_do_update(
            constraint="pk_calendar_day",
            set_=values,
            where=~CalendarDay.is_edited | query.excluded.is_edited,
        ),
        [
            {
                "calendar_id": calendar_id,
                "day": each.day,
                "is_workday": each.is_workday,
                "title": each.title,
                "is_edited": each.is_edited,
            }
            for each in days
        ],
    )


def fetch_years(session: Session, calendar_id: str) -> list[int]:
    """Give the years of which days are known."""
    year = func.extract("year", CalendarDay.day)
    query = select(year).distinct().where(CalendarDay.calendar_id == calendar_id)
    return sorted(int(each) for each in session.scalars(query))


def fetch_hours(session: Session, calendar_id: str) -> list[Hours]:
    """Read the working hours of a calendar."""
    rows = session.scalars(
        select(WorkingHours)
        .where(WorkingHours.calendar_id == calendar_id)
        .order_by(WorkingHours.opens)
    )
    return [Hours(row.key, row.opens, row.closes) for row in rows]


def replace_hours(
    session: Session, calendar_id: str, spans: Sequence[tuple[dt.time, dt.time]]
) -> None:
    """Give a calendar other working hours."""
    session.execute(delete(WorkingHours).where(WorkingHours.calendar_id == calendar_id))
    session.execute(
        sql_insert(WorkingHours),
        [{"calendar_id": calendar_id, "opens": opens, "closes": closes} for opens, closes in spans],
    )


LIMIT_FIELDS = [field.name for field in fields(Limit)]


def fetch_limits(session: Session, on: dt.date | None = None) -> list[Limit]:
    """Read the policy, or what of it is valid on a day."""
    query = select(ClockLimit).order_by(
        ClockLimit.clock_kind,
        ClockLimit.is_external.desc(),
        ClockLimit.work_kind.nulls_first(),
        ClockLimit.severity.nulls_first(),
        ClockLimit.key,
    )
    if on is not None:
        query = query.where(
            ClockLimit.valid_from <= on,
            ClockLimit.valid_to.is_(None) | (ClockLimit.valid_to >= on),
        )
    return [
        Limit(**{name: getattr(row, name) for name in LIMIT_FIELDS})
        for row in session.scalars(query)
    ]


def lock_limits(session: Session) -> None:
    """Let one person at a time change the policy, so that its rows are held against each other."""
    session.execute(text("LOCK TABLE clock_limit IN SHARE ROW EXCLUSIVE MODE"))


def insert_limit(session: Session, limit: Limit) -> int:
    """Add a row of the policy and give its key."""
    values = {name: getattr(limit, name) for name in LIMIT_FIELDS if name != "key"}
    query = sql_insert(ClockLimit).values(**values).returning(ClockLimit.key)
    return session.execute(query).scalar_one()


def update_limit_end(session: Session, key: int, on: dt.date) -> bool:
    """Let a row of the policy end with a day, and tell whether there was one."""
    query = (
        update(ClockLimit)
        .where(ClockLimit.key == key)
        .values(valid_to=func.greatest(on, ClockLimit.valid_from))
        .returning(ClockLimit.key)
    )
    return session.execute(query).first() is not None
