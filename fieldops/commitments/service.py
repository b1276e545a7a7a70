"""Workdays, holidays and limits: filled, edited, and held against each other."""

from __future__ import annotations

import datetime as dt
import math
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import chinese_calendar  # type: ignore[import-untyped]

from fieldops.clocks.service import recount_calendar
from fieldops.commitments import queries
from fieldops.commitments.queries import Day, Hours, Limit
from fieldops.errors import FieldopsError, NotFoundError
from fieldops.events.service import Actor, append_event
from fieldops.language import TIMEZONE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

__all__ = ["Day", "Hours", "Limit"]

OFFICE = "office"
"""The calendar of workdays and office hours."""


def fill_calendar(session: Session, year: int) -> int:
    """
    Keep the public holidays of a year, and the weekends worked for them; count the days.

    0 for a year that the State Council has not announced yet, as far as the library knows. What
    somebody has edited stays.
    """
    first = dt.date(year, 1, 1)
    days = [first + dt.timedelta(days=number) for number in range(366)]
    unusual = [
        Day(
            day,
            day in chinese_calendar.workdays,
            (chinese_calendar.holidays.get(day) or chinese_calendar.workdays.get(day)),
            is_edited=False,
        )
        for day in days
        if day in chinese_calendar.holidays or day in chinese_calendar.workdays
    ]
    if unusual:
        queries.insert_days(session, OFFICE, unusual)
        recount_calendar(session, OFFICE)
    return len(unusual)


def fill_calendars(session: Session, now: dt.datetime) -> None:
    """Fill last year, this and the next, where they are not there yet."""
    there = queries.fetch_years(session, OFFICE)
    this = now.astimezone(ZoneInfo(TIMEZONE)).year
    for year in (this - 1, this, this + 1):
        if year not in there:
            fill_calendar(session, year)


def list_days(session: Session, year: int) -> list[Day]:
    """Give the days of a year that do not go by their weekday alone."""
    return queries.fetch_days(session, OFFICE, year)


def list_hours(session: Session) -> list[Hours]:
    """Give the office hours."""
    return queries.fetch_hours(session, OFFICE)


def change_day(session: Session, day: Day, actor: Actor, now: dt.datetime) -> None:
    """Say of a day that it is a workday or a holiday; due times follow."""
    queries.insert_days(session, OFFICE, [day])
    recount_calendar(session, OFFICE)
    append_event(
        session,
        "clock.calendar_changed",
        ("clock", 0),
        by=actor,
        now=now,
        body={
            "id": OFFICE,
            "day": day.day.isoformat(),
            "is_workday": day.is_workday,
            "title": day.title,
        },
    )


def change_hours(
    session: Session, spans: Sequence[tuple[dt.time, dt.time]], actor: Actor, now: dt.datetime
) -> None:
    """
    Give other office hours; due times follow.

    Raises
    ------
    FieldopsError
        If there are none, they overlap, or one ends before it begins.
    """
    ordered = sorted(spans)
    is_in_order = all(opens < closes for opens, closes in ordered) and all(
        before[1] <= after[0] for before, after in pairwise(ordered)
    )
    if not ordered or not is_in_order:
        raise FieldopsError("Working hours must begin before they end, and must not overlap.")
    queries.replace_hours(session, OFFICE, ordered)
    recount_calendar(session, OFFICE)
    append_event(
        session,
        "clock.calendar_changed",
        ("clock", 0),
        by=actor,
        now=now,
        body={
            "id": OFFICE,
            "hours": [[opens.isoformat(), closes.isoformat()] for opens, closes in ordered],
        },
    )


def list_limits(session: Session, on: dt.date | None = None) -> list[Limit]:
    """Give the policy, or what of it is valid on a day."""
    return queries.fetch_limits(session, on)


def add_limit(session: Session, limit: Limit, actor: Actor, now: dt.datetime) -> int:
    """
    Add a limit to the policy; clocks at work keep theirs.

    Raises
    ------
    FieldopsError
        If an internal limit is looser than what was promised outside for the same case.
    """
    queries.lock_limits(session)
    rows = [*queries.fetch_limits(session), limit]
    outers = [each for each in rows if each.is_external]
    for inner in (each for each in rows if not each.is_external):
        outer = find_broken_promise(inner, outers)
        if outer is not None and limit in (inner, outer):
            raise FieldopsError(
                "The internal limit of %(inner)s minutes is looser than the promise of %(outer)s"
                " minutes in %(source)s.",
                inner=inner.limit_s // 60,
                outer=outer.limit_s // 60,
                source=outer.source,
            )
    key = queries.insert_limit(session, limit)
    append_event(
        session,
        "clock.limit_added",
        ("clock", 0),
        by=actor,
        now=now,
        body={
            "id": str(key),
            "clock": limit.clock_kind,
            "limit_s": limit.limit_s,
            "is_external": limit.is_external,
            "source": limit.source,
        },
    )
    return key


def find_broken_promise(inner: Limit, outers: Sequence[Limit]) -> Limit | None:
    """
    Find what was promised outside for a case of an internal limit, and sooner than it.

    A promise counts only where no other one, which says more about all of these cases, rules.
    """
    touching = [each for each in outers if _overlap(inner, each)]
    for outer in touching:
        is_overruled = any(
            _holds_all(other, inner) and _weight(other) > _weight(outer) for other in touching
        )
        if not is_overruled and inner.limit_s > outer.limit_s:
            return outer
    return None


def _cases(limit: Limit) -> tuple[str | None, ...]:
    return (limit.work_kind, limit.severity, limit.area_class, limit.time_class)


def _span(limit: Limit) -> tuple[float, float]:
    least, most = limit.diameter_from_mm, limit.diameter_to_mm
    return (0.0 if least is None else least, math.inf if most is None else most)


def _weight(limit: Limit) -> float:
    """Weigh how much a limit says about its case, as the choice of limits does."""
    bounds = (limit.diameter_from_mm, limit.diameter_to_mm)
    return sum(each is not None for each in _cases(limit)) + (
        sum(each is not None for each in bounds) / 2
    )


def _overlap(one: Limit, other: Limit) -> bool:
    if (one.clock_kind, one.starts_at) != (other.clock_kind, other.starts_at):
        return False
    is_case = all(
        None in pair or pair[0] == pair[1] for pair in zip(_cases(one), _cases(other), strict=True)
    )
    (least, most), (others_least, others_most) = _span(one), _span(other)
    return (
        is_case
        and least <= others_most
        and others_least <= most
        and one.valid_from <= (other.valid_to or dt.date.max)
        and other.valid_from <= (one.valid_to or dt.date.max)
    )


def _holds_all(wide: Limit, narrow: Limit) -> bool:
    """Tell whether every case of the narrow limit is one of the wide limit, too."""
    is_case = all(
        theirs in (None, ours) for theirs, ours in zip(_cases(wide), _cases(narrow), strict=True)
    )
    (least, most), (narrow_least, narrow_most) = _span(wide), _span(narrow)
    return is_case and least <= narrow_least and narrow_most <= most


def end_limit(session: Session, key: int, on: dt.date, actor: Actor, now: dt.datetime) -> None:
    """
    Let a limit end with a day; it stays in the register, and with the clocks that it drives.

    Raises
    ------
    NotFoundError
        If there is no such limit.
    """
    if not queries.update_limit_end(session, key, on):
        raise NotFoundError("There is no limit %(key)s.", key=key)
    append_event(
        session,
        "clock.limit_ended",
        ("clock", 0),
        by=actor,
        now=now,
        body={"id": str(key), "valid_to": on.isoformat()},
    )
