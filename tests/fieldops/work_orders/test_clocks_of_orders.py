"""What steps do to an order's clocks, and who has it meanwhile."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from fieldops.access import Person, Role
from fieldops.clocks.service import escalate
from fieldops.commitments.service import Day, change_day
from fieldops.errors import ConflictError
from fieldops.events import queries as events
from fieldops.events.service import SYSTEM
from fieldops.incidents.service import IncidentDraft, close_incident, open_incident
from fieldops.work_orders.service import describe_order, find_order
from tests.fieldops.work_orders.orders import BODIES, NOW, act, lead_to, make_cast, make_order

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from fieldops.clocks.service import ClockView
    from fieldops.events.service import Actor
    from fieldops.work_orders.service import OrderSheet, WorkOrder

HOUR = dt.timedelta(hours=1)
MANAGER = Person(id=0, name="钱经理", roles=frozenset({Role.MANAGER}))


def sheet(session: Session, order: WorkOrder, now: dt.datetime) -> OrderSheet:
    """Give all that is told of an order to a manager."""
    return describe_order(session, order.id, MANAGER, now)


def clocks(session: Session, order: WorkOrder, now: dt.datetime) -> dict[str, ClockView]:
    """Give an order's clocks by kind."""
    return {each.kind: each for each in sheet(session, order, now).clocks}


def test_the_report_starts_the_clocks_and_each_step_stops_its_own(session: Session) -> None:
    """Reported an hour before the order was opened."""
    cast = make_cast(session)
    order = make_order(session, reported_at=NOW - HOUR, diameter_mm=200)
    assert order.arrive_due_at == NOW
    assert order.due_at == NOW + 23 * HOUR
    lead_to(session, order, cast, "on_site")
    running = {
        kind for kind, each in clocks(session, order, NOW).items() if each.stopped_at is None
    }
    assert running == {"repair", "restore"}
    assert find_order(session, order.id).arrive_due_at is None
    act(session, order, "start", cast.crew, NOW)
    act(session, order, "finish", cast.crew, NOW + 2 * HOUR)
    found = clocks(session, order, NOW + 3 * HOUR)
    assert found["repair"].stopped_at == NOW + 2 * HOUR
    assert found["repair"].elapsed_s == 3 * 3600
    assert found["restore"].stopped_at is None


def test_what_is_sent_back_runs_on_as_if_it_had_never_been_done(session: Session) -> None:
    """The hour in which nobody worked counts."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "work_done")
    act(session, order, "send_back", cast.dispatcher, NOW + HOUR)
    found = clocks(session, order, NOW + 2 * HOUR)["repair"]
    assert (found.stopped_at, found.elapsed_s) == (None, 2 * 3600)


def test_the_time_in_which_an_order_was_closed_does_not_count(session: Session) -> None:
    """Reopened after three days; the repair goes on where it had stopped."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "closed")
    later = NOW + 72 * HOUR
    act(session, order, "reopen", cast.dispatcher, later)
    found = clocks(session, order, later + HOUR)["repair"]
    assert (found.stopped_at, found.elapsed_s) == (None, 3600)
    turns = sheet(session, order, later + HOUR).turns
    assert sum(turn.minutes for turn in turns) == 60


def test_a_hold_moves_what_is_due_and_can_be_extended(session: Session) -> None:
    """From four hours to six."""
    cast = make_cast(session)
    order = make_order(session, severity="leak")
    lead_to(session, order, cast, "working")
    until = NOW + 4 * HOUR
    body = {"reason": "等材料", "resume_by": until.isoformat()}
    act(session, order, "hold", cast.crew, body=body)
    before = clocks(session, order, NOW)["repair"].due_at
    assert before == NOW + 40 * HOUR
    longer = {"resume_by": (until + 2 * HOUR).isoformat()}
    act(session, order, "set", cast.crew, body=longer)
    assert clocks(session, order, NOW)["repair"].due_at == NOW + 42 * HOUR
    act(session, order, "resume", cast.crew, NOW + HOUR)
    assert clocks(session, order, NOW)["repair"].due_at == NOW + 37 * HOUR


def test_an_edited_calendar_moves_what_is_kept_with_the_order(session: Session) -> None:
    """A Thursday becomes a holiday, so what was due on Friday is due on Monday."""
    order = make_order(session, kind="check", severity="routine")
    before = find_order(session, order.id).due_at
    assert before is not None
    day = Day((NOW + 24 * HOUR).date(), is_workday=False, title=None, is_edited=True)
    change_day(session, day, SYSTEM, NOW)
    assert find_order(session, order.id).due_at == before + 72 * HOUR


def test_every_minute_of_an_order_has_one_holder(session: Session) -> None:
    """The service desk, dispatch, a crew, another, supervision; together its age."""
    cast = make_cast(session)
    order = make_order(session)
    ways: tuple[tuple[str, Actor, dict[str, str]], ...] = (
        ("triage", cast.dispatcher, {}),
        ("assign", cast.dispatcher, {"crew": cast.crew_id}),
        ("accept", cast.crew, {}),
        ("decline", cast.crew, BODIES["decline"]),
        ("assign", cast.dispatcher, {"crew": cast.other_crew_id}),
    )
    for hour, (action, actor, body) in enumerate(ways, 1):
        assert act(session, order, action, actor, NOW + hour * HOUR, body=body).version
    for hour, action in enumerate(("accept", "depart", "arrive", "start", "finish", "restore"), 6):
        assert act(session, order, action, cast.other_crew, NOW + hour * HOUR).version
    act(session, order, "verify", cast.dispatcher, NOW + 12 * HOUR)
    act(session, order, "close", cast.dispatcher, NOW + 13 * HOUR)
    turns = sheet(session, order, NOW + 99 * HOUR).turns
    assert [(turn.holder_id, turn.minutes / 60) for turn in turns] == [
        ("service", 1),
        ("dispatch", 1),
        (cast.crew_id, 2),
        ("dispatch", 1),
        (cast.other_crew_id, 6),
        ("supervision", 1),
        ("dispatch", 1),
    ]
    assert sum(turn.minutes for turn in turns) == 13 * 60


def test_whoever_comes_second_was_not_promised_for_a_time(session: Session) -> None:
    """The arrival was promised of the first crew."""
    first = make_order(session, kind="make_safe")
    second = make_order(session, after_order_key=first.key)
    assert first.arrive_due_at is not None
    assert second.arrive_due_at is None


def test_an_incident_is_not_closed_while_work_on_it_is_open(session: Session) -> None:
    """The reason names the orders."""
    cast = make_cast(session)
    draft = IncidentDraft(kind="burst", lon=118.8, lat=32.0)
    incident = open_incident(session, draft, cast.dispatcher, NOW)
    order = make_order(session, incident_key=incident.key)
    with pytest.raises(ConflictError, match=order.id):
        close_incident(session, incident.id, cast.dispatcher, NOW)
    act(session, order, "cancel", cast.dispatcher)
    assert close_incident(session, incident.id, cast.dispatcher, NOW).status == "closed"


def test_the_log_tells_each_step_with_what_a_screen_needs(session: Session) -> None:
    """Id, state, version, crew, and what changed."""
    cast = make_cast(session)
    order = make_order(session)
    act(session, order, "assign", cast.dispatcher, body={"crew": cast.crew_id, "pin_reason": "近"})
    session.commit()
    last = events.fetch_events_of(session, "work_order", [order.key])[-1]
    assert last.kind == "work_order.assigned"
    wanted = {"id": order.id, "state": "assigned", "version": 2, "crew": cast.crew_id}
    assert wanted.items() <= last.body.items()
    assert last.body["pin_reason"] == "近"
    assert find_order(session, order.id).is_pinned


def test_a_reopened_order_owes_no_time_in_which_it_was_closed(session: Session) -> None:
    """Each clock goes on where it had stopped, those that no hold stops too; none escalates."""
    cast = make_cast(session)
    order = make_order(session, severity="leak")
    lead_to(session, order, cast, "working")
    act(session, order, "finish", cast.crew, NOW + 2 * HOUR)
    act(session, order, "restore", cast.crew, NOW + 5 * HOUR)
    act(session, order, "verify", cast.dispatcher, NOW + 40 * HOUR)
    act(session, order, "close", cast.dispatcher, NOW + 40 * HOUR)
    later = NOW + 200 * HOUR
    act(session, order, "reopen", cast.dispatcher, later)
    assert escalate(session, later) == 0
    found = clocks(session, order, later + HOUR)
    assert found["repair"].elapsed_s == 3 * 3600
    assert found["restore"].elapsed_s == 6 * 3600
    assert found["repair"].due_at == later + 34 * HOUR
    assert found["restore"].due_at == later + 19 * HOUR
    assert found["arrive"].stopped_at is not None


def test_an_order_reopened_before_anybody_came_is_still_waited_for(session: Session) -> None:
    """Void by mistake: the promised arrival is due as much later as that lasted."""
    cast = make_cast(session)
    order = make_order(session)
    assert order.arrive_due_at is not None
    act(session, order, "cancel", cast.dispatcher, NOW)
    act(session, order, "reopen", cast.dispatcher, NOW + 3 * HOUR)
    assert find_order(session, order.id).arrive_due_at == order.arrive_due_at + 3 * HOUR


def test_a_case_that_is_worse_than_it_was_said_has_the_stricter_limits(session: Session) -> None:
    """From the same start; one that turns out to be less bad keeps what was promised."""
    cast = make_cast(session)
    order = make_order(session, severity="leak")
    assert order.arrive_due_at == NOW + 1.5 * HOUR
    for action, severity, due in (
        ("triage", "burst", HOUR),
        ("set", "danger", HOUR / 2),
        ("set", "leak", HOUR / 2),
    ):
        outcome = act(session, order, action, cast.dispatcher, body={"severity": severity})
        assert outcome.status == "applied"
        assert find_order(session, order.id).arrive_due_at == NOW + due
    act(session, order, "assign", cast.dispatcher, body={"crew": cast.crew_id})
    for action in ("accept", "depart", "arrive"):
        act(session, order, action, cast.crew)
    act(session, order, "set", cast.dispatcher, body={"area_class": "city"})
    assert find_order(session, order.id).arrive_due_at is None


def test_workdays_are_of_the_hours_of_the_calendar(session: Session) -> None:
    """Reported as the office opens on a Monday, two and five days end as it closes."""
    opens = dt.datetime(2026, 3, 2, 0, 30, tzinfo=dt.UTC)
    for kind, day in (("check", 3), ("routine", 6), ("reinstate", 10)):
        order = make_order(session, opens, kind=kind, severity="routine")
        due = clocks(session, order, opens)["close"].due_at
        assert due == dt.datetime(2026, 3, day, 9, 30, tzinfo=dt.UTC)


def test_a_clock_that_is_known_to_be_slow_gains_nothing(session: Session) -> None:
    """The arrival is when it was by our clock, and never before the order was given."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "en_route")
    later, slow = NOW + HOUR, 40 * 60.0
    claimed = later - HOUR / 2 - HOUR / 6
    act(session, order, "arrive", cast.crew, later, occurred_at=claimed, skew_s=-slow)
    assert find_order(session, order.id).arrived_at == claimed + 40 * HOUR / 60
    act(session, order, "start", cast.crew, later, occurred_at=NOW, skew_s=0.0)
    assert find_order(session, order.id).started_at == claimed + 40 * HOUR / 60
