"""The calendar and the register of limits."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from fieldops.clocks import service as clocks
from fieldops.clocks.service import Criteria, Subject
from fieldops.commitments.service import (
    Day,
    Limit,
    add_limit,
    change_day,
    change_hours,
    fill_calendar,
    fill_calendars,
    list_days,
    list_limits,
)
from fieldops.errors import FieldopsError
from fieldops.events.service import SYSTEM

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

NOW = dt.datetime(2026, 9, 30, 2, 0, tzinfo=dt.UTC)
SUBJECT = Subject("thing", 1, "T-1")
LIMIT: dict[str, Any] = {
    "clock_kind": "arrive",
    "limit_s": 3600,
    "starts_at": "reported",
    "is_external": False,
    "source": "内部 2026-1",
    "valid_from": dt.date(2026, 1, 1),
}


def due(session: Session) -> dt.datetime | None:
    """Give when a check reported at 10:00 on the last day of September is due: 15 office hours."""
    criteria = Criteria(work_kind="check")
    if not clocks.list_clocks(session, SUBJECT, NOW):
        clocks.start_clocks(session, SUBJECT, criteria, starts_at="reported", at=NOW)
    found = {each.kind: each.due_at for each in clocks.list_clocks(session, SUBJECT, NOW)}
    return found["close"]


def china(day: int, hour: int) -> dt.datetime:
    """Give a moment of that October on the clocks of China."""
    return dt.datetime(2026, 10, day, hour, tzinfo=dt.timezone(dt.timedelta(hours=8)))


def test_a_clock_of_office_hours_rests_in_the_national_holiday(session: Session) -> None:
    """Six hours on the last of September; the next workday is the 8th."""
    assert due(session) == china(2, 10)
    assert fill_calendar(session, 2026) > 20
    assert due(session) == china(9, 10)


def test_an_edited_day_stays_edited_and_moves_what_is_due(session: Session) -> None:
    """The town keeps the 8th, too."""
    fill_calendar(session, 2026)
    due(session)
    day = Day(dt.date(2026, 10, 8), is_workday=False, title="市民日", is_edited=True)
    change_day(session, day, SYSTEM, NOW)
    fill_calendar(session, 2026)
    assert due(session) == china(10, 10), "the Saturday after is worked for the holiday"
    assert day in list_days(session, 2026)


def test_a_year_that_is_not_announced_is_not_invented(session: Session) -> None:
    """Its days go by their weekday, and are filled when they are known."""
    assert fill_calendar(session, 2093) == 0
    fill_calendars(session, NOW)
    assert list_days(session, 2025)
    assert list_days(session, 2026)


def test_office_hours_can_be_changed(session: Session) -> None:
    """What is due follows at once; hours that overlap are refused."""
    due(session)
    change_hours(session, [(dt.time(0), dt.time(12)), (dt.time(12), dt.time(20))], SYSTEM, NOW)
    assert due(session) == china(1, 5)
    with pytest.raises(FieldopsError):
        change_hours(session, [(dt.time(8), dt.time(12)), (dt.time(11), dt.time(17))], SYSTEM, NOW)
    with pytest.raises(FieldopsError):
        change_hours(session, [], SYSTEM, NOW)


@pytest.mark.parametrize(
    ("change", "is_refused"),
    [
        ({"limit_s": 1800}, False),
        ({"limit_s": 7200}, True),
        ({"limit_s": 7200, "work_kind": "routine", "severity": "routine"}, False),
        ({"limit_s": 4000, "severity": "leak"}, False),
        ({"limit_s": 4000, "severity": "burst"}, True),
        ({"limit_s": 3000, "severity": "danger"}, True),
        ({"limit_s": 7200, "starts_at": "assigned"}, False),
        ({"limit_s": 7200, "valid_to": dt.date(2026, 1, 31)}, True),
        ({"limit_s": 600, "is_external": True, "severity": "leak"}, False),
    ],
)
def test_an_internal_limit_looser_than_the_promise_is_refused(
    session: Session, change: dict[str, Any], *, is_refused: bool
) -> None:
    """For each of its cases the promise that rules there counts."""
    limit = Limit(**{**LIMIT, **change})
    if is_refused:
        with pytest.raises(FieldopsError):
            add_limit(session, limit, SYSTEM, NOW)
    else:
        key = add_limit(session, limit, SYSTEM, NOW)
        assert key in {each.key for each in list_limits(session)}


def test_a_promise_tighter_than_an_internal_limit_is_refused_too(session: Session) -> None:
    """First the internal one has to be tightened."""
    add_limit(session, Limit(**{**LIMIT, "severity": "leak", "limit_s": 4000}), SYSTEM, NOW)
    promise = {**LIMIT, "severity": "leak", "limit_s": 1800, "is_external": True}
    with pytest.raises(FieldopsError):
        add_limit(session, Limit(**promise), SYSTEM, NOW)
