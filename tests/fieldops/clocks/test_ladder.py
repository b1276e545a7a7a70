"""Limits at work: which apply, what holds excuse, and the ladder, climbed once."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from fieldops import jobs
from fieldops.clocks import service
from fieldops.clocks.service import Criteria, Subject
from fieldops.db import make_sessions
from fieldops.events import queries as events

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

NOW = dt.datetime(2026, 3, 4, 5, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
SUBJECT = Subject("thing", 7, "T-7")
BURST = Criteria(work_kind="repair", severity="burst", diameter_mm=200)


def start(
    session: Session, criteria: Criteria = BURST, subject: Subject = SUBJECT, at: dt.datetime = NOW
) -> dict[str, service.ClockView]:
    """Start what begins with the report, and give the clocks by kind."""
    service.start_clocks(session, subject, criteria, starts_at="reported", at=at)
    return {each.kind: each for each in service.list_clocks(session, subject, at)}


@pytest.mark.parametrize(
    ("criteria", "at", "minutes"),
    [
        ({}, NOW, 90),
        ({"severity": "burst"}, NOW, 60),
        ({"severity": "danger"}, NOW, 30),
        ({"severity": "burst", "area_class": "city"}, NOW, 30),
        ({"severity": "burst", "area_class": "city"}, NOW + 10 * HOUR, 45),
        ({"severity": "burst", "area_class": "city"}, NOW - 6 * HOUR, 45),
        ({"severity": "burst", "area_class": "suburb"}, NOW, 90),
    ],
)
def test_of_the_limits_that_fit_the_one_that_says_most_applies(
    session: Session, criteria: dict[str, Any], at: dt.datetime, minutes: int
) -> None:
    """By severity, area and time of the day; what is not known fits no row that asks for it."""
    clocks = start(session, Criteria(work_kind="repair", **criteria), at=at)
    assert clocks["arrive"].limit_s == minutes * 60


def test_the_limit_of_a_repair_goes_by_diameter(session: Session) -> None:
    """24 h to DN 100, more above."""
    limits = [
        start(session, Criteria(work_kind="repair", diameter_mm=dn), Subject("thing", key, "T"))
        for key, dn in enumerate((80.0, 100.0, 200.0, 800.0, None))
    ]
    assert [each["repair"].limit_s / 3600 for each in limits] == [24, 24, 36, 48, 36]


def test_a_hold_excuses_but_no_longer_than_it_was_said_to_last(session: Session) -> None:
    """Held for five hours, of which two were announced."""
    due = start(session)["repair"].due_at
    assert due is not None
    service.hold_clocks(session, SUBJECT, from_at=NOW + HOUR, until=NOW + 3 * HOUR, reason="等材料")
    held = {each.kind: each for each in service.list_clocks(session, SUBJECT, NOW + 2 * HOUR)}
    assert held["repair"].due_at == due + 2 * HOUR
    assert held["repair"].elapsed_s == 3600
    service.end_hold(session, SUBJECT, NOW + 6 * HOUR)
    after = {each.kind: each for each in service.list_clocks(session, SUBJECT, NOW + 7 * HOUR)}
    assert after["repair"].due_at == due + 2 * HOUR
    assert after["repair"].elapsed_s == 5 * 3600
    assert after["restore"].elapsed_s == 7 * 3600, "what was promised to be restored goes on"


def test_an_overdue_thing_that_is_held_stays_on_the_list(session: Session) -> None:
    """Holding it does not make it vanish."""
    start(session)
    late = NOW + 40 * HOUR
    service.hold_clocks(session, SUBJECT, from_at=late, until=late + HOUR, reason="等材料")
    overdue = service.list_overdue(session, "thing", late)
    assert {each.kind for each in overdue} == {"arrive", "repair", "restore"}


def escalations(session: Session) -> list[tuple[str, int]]:
    """Give what the log says of the ladder."""
    told = events.fetch_events_of(session, SUBJECT.kind, [SUBJECT.key])
    return [
        (each.body["clock"], each.body["percent"])
        for each in told
        if each.kind == "thing.escalated"
    ]


def test_each_step_is_raised_once_and_after_a_pause_all_that_were_reached(
    session: Session,
) -> None:
    """The server was down from before 80 % to after 150 %."""
    start(session)
    assert service.escalate(session, NOW + dt.timedelta(minutes=47)) == 0
    assert service.escalate(session, NOW + dt.timedelta(minutes=48)) == 1
    assert service.escalate(session, NOW + dt.timedelta(minutes=49)) == 0
    service.escalate(session, NOW + 100 * HOUR)
    assert service.escalate(session, NOW + 101 * HOUR) == 0
    session.commit()
    steps = escalations(session)
    assert len(steps) == len(set(steps)) == 9
    assert {percent for _, percent in steps} == {80, 100, 150}


def test_a_step_passed_unseen_is_raised_when_the_clock_stops(session: Session) -> None:
    """The crew came too late while the sweep was down; that is not forgotten."""
    start(session)
    came = NOW + dt.timedelta(minutes=61)
    service.stop_clocks(session, SUBJECT, at=came, now=came + HOUR, kinds=["arrive"])
    assert service.escalate(session, NOW + 5 * HOUR) == 0
    session.commit()
    assert escalations(session) == [("arrive", 80), ("arrive", 100)]


@pytest.mark.slow
def test_the_worker_raises_what_was_due_while_it_was_down_and_two_do_not_double_it(
    database: str,
) -> None:
    """Due in the past when the first worker starts; two of them at once."""
    sessions = make_sessions(database)
    with sessions.begin() as session:
        start(session, at=dt.datetime.now(dt.UTC) - 200 * HOUR)
        jobs.enqueue(session, "clocks.escalate", timestamp=0)

    def sweep(_number: int) -> None:
        with sessions.begin() as session:
            service.escalate(session, dt.datetime.now(dt.UTC))

    with ThreadPoolExecutor(3) as pool:
        working = pool.submit(jobs.run_worker, database, until_idle=True)
        list(pool.map(sweep, range(4)))
        working.result()
    with sessions.begin() as session:
        steps = escalations(session)
        rows = session.execute(text("SELECT count(*) FROM clock_escalation")).scalar_one()
    assert len(steps) == len(set(steps)) == rows == 9
    sessions.kw["bind"].dispose()
