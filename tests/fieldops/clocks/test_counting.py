"""Clocks against minutes counted one by one."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from fieldops.clocks import queries, service
from fieldops.clocks.service import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Engine

CHINA = ZoneInfo("Asia/Shanghai")
START = dt.datetime(2026, 2, 9, 22, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
HOURS = ((dt.time(8, 30), dt.time(12)), (dt.time(13, 30), dt.time(17, 30)))
SUBJECT = Subject("thing", 1, "T-1")

minutes = st.integers(min_value=0, max_value=4 * 24 * 60)
spans = st.tuples(minutes, st.integers(min_value=0, max_value=2000))


def at(minute: int) -> dt.datetime:
    """Give a minute as a moment."""
    return START + minute * MINUTE


def is_counted(
    moment: dt.datetime,
    calendar: str,
    days: dict[dt.date, bool],
    holds: Sequence[tuple[int, int]],
) -> bool:
    """Tell whether the minute that begins with a moment counts."""
    minute = (moment - START) // MINUTE
    if any(first <= minute < first + length for first, length in holds):
        return False
    if calendar == "always":
        return True
    local = moment.astimezone(CHINA)
    is_workday = days.get(local.date(), local.isoweekday() < 6)
    return is_workday and any(opens <= local.time() < closes for opens, closes in HOURS)


def counted_minutes(
    first: int, calendar: str, days: dict[dt.date, bool], holds: Sequence[tuple[int, int]]
) -> Iterator[int]:
    """Give each minute from one on that counts."""
    minute = first
    while True:
        if is_counted(at(minute), calendar, days, holds):
            yield minute
        minute += 1


@settings(max_examples=40, deadline=None)
@given(
    calendar=st.sampled_from(["always", "office"]),
    days=st.dictionaries(
        st.dates(dt.date(2026, 2, 10), dt.date(2026, 2, 20)), st.booleans(), max_size=6
    ),
    holds=st.lists(spans, max_size=4),
    first=minutes,
    length=st.integers(min_value=0, max_value=6000),
    limit=st.integers(min_value=1, max_value=900),
)
def test_what_elapsed_and_when_it_is_due_are_what_counting_gives(
    engine: Engine,
    *,
    calendar: str,
    days: dict[dt.date, bool],
    holds: list[tuple[int, int]],
    first: int,
    length: int,
    limit: int,
) -> None:
    """Holds may overlap; days may be workdays or holidays against their weekday."""
    with Session(engine) as session:
        for day, is_workday in days.items():
            session.execute(
                text("INSERT INTO calendar_day VALUES ('office', :day, :is_workday)"),
                {"day": day, "is_workday": is_workday},
            )
        for begins, lasts in holds:
            queries.insert_hold(session, SUBJECT, at(begins), at(begins + lasts), "等")
            queries.update_hold_ended(session, SUBJECT, at(begins + lasts))
        elapsed_s, due = session.execute(
            text(
                "SELECT clock_elapsed_s(:calendar, :first, :last, clock_holds('thing', 1)),"
                " clock_due(:calendar, :first, :limit_s, clock_holds('thing', 1))"
            ),
            {
                "calendar": calendar,
                "first": at(first),
                "last": at(first + length),
                "limit_s": limit * 60,
            },
        ).one()
    counted = counted_minutes(first, calendar, days, holds)
    expected = sum(
        is_counted(at(minute), calendar, days, holds) for minute in range(first, first + length)
    )
    assert elapsed_s == expected * 60
    for _ in range(limit - 1):
        next(counted)
    assert due == at(next(counted) + 1)


@settings(max_examples=30, deadline=None)
@given(
    turns=st.lists(
        st.tuples(st.integers(0, 3000), st.sampled_from(["A", "B", "dispatch", ""])),
        min_size=1,
        max_size=12,
    ),
    now=st.integers(3000, 4000),
)
def test_every_minute_belongs_to_exactly_one_holder(
    engine: Engine, turns: list[tuple[int, str]], now: int
) -> None:
    """The holders' minutes add up to the age, without those in which it was nobody's."""
    holder_at: dict[int, str] = {}
    with Session(engine) as session:
        for minute, holder in sorted(turns, key=itemgetter(0)):
            kind = "crew" if holder in {"A", "B"} else "department" if holder else "nobody"
            service.begin_turn(session, SUBJECT, at(minute), kind, holder, holder)
            holder_at[minute] = holder
        found = service.list_turns(session, SUBJECT, at(now))
    counted: Counter[str] = Counter()
    holder = ""
    for minute in range(now):
        holder = holder_at.get(minute, holder)
        counted[holder] += 1
    counted.pop("", None)
    told: Counter[str] = Counter()
    for turn in found:
        told[turn.holder_id] += round(turn.minutes)
    assert +told == +counted
    assert sum(turn.minutes for turn in found) == sum(counted.values())
