"""Planned shutdowns: the slot that harms the fewest, approved, begun and over."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from fieldops.errors import FieldopsError
from fieldops.events.service import Actor, Operation
from fieldops.live_outages.service import apply_operation, find_outage
from fieldops.outages.service import Question
from fieldops.rosters.queries import insert_crew, insert_shifts, insert_skill
from fieldops.shutdowns import service
from tests.fieldops.outages.towns import Town
from tests.people import sign_in

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

    from fieldops.shutdowns.queries import PlannedShutdown

CHINA = ZoneInfo("Asia/Shanghai")
NOW = dt.datetime(2026, 7, 1, 10, tzinfo=CHINA)
"""A Wednesday."""
NIGHT = NOW.replace(day=2, hour=1)
DAY = dt.timedelta(days=1)
PLANNER = Actor(name="何工", roles=frozenset({"planner"}))
MANAGER = Actor(name="赵主任", roles=frozenset({"manager"}))
DISPATCHER = Actor(name="王芳", roles=frozenset({"dispatcher"}))


@pytest.fixture
def town(session: Session) -> Session:
    """Draw a ring A-B-C-c-b-a with a works at A; 30 properties hang on C-D, ten on each side."""
    drawn = Town().source("S", "A")
    for name, ends in (("north", "AB"), ("west", "Aa"), ("south", "ab"), ("east", "bc")):
        drawn.pipe(name, ends)
    drawn.pipe("top", "BC").pipe("side", "cC").pipe("spur", "CD")
    for pipe in ("north", "west", "south", "east", "top", "side", "spur"):
        drawn.valve(f"{pipe}-1", pipe, 0).valve(f"{pipe}-2", pipe, 100)
    drawn.customer("N", "north", properties=10).customer("S", "south", properties=10)
    drawn.customer("H", "spur", properties=30)
    drawn.plant(session)
    return session


def staff(session: Session, *hours: int) -> None:
    """Have a crew that works valves on shift in these hours of the next days."""
    key = insert_crew(session, id="C-1", name="抢修一班")
    assert key is not None
    insert_skill(session, key, skill="valve")
    midnight = NOW.replace(hour=0)
    shifts = [
        {
            "crew_key": key,
            "kind": "shift",
            "rank": None,
            "starts_at": midnight + day * DAY + dt.timedelta(hours=hours[0]),
            "ends_at": midnight + day * DAY + dt.timedelta(hours=hours[1]),
        }
        for day in range(15)
    ]
    insert_shifts(session, shifts)


def ask(session: Session, pipe: str, hours: float = 2) -> PlannedShutdown:
    """Ask for a shutdown of a pipe."""
    question = Question(pipes=[(pipe, None)])
    return service.request_shutdown(session, question, "换管", int(hours * 60), PLANNER, NOW)


def test_the_night_is_best_where_crews_work_around_the_clock(town: Session) -> None:
    """Ten properties for two hours, at the weight of the small hours."""
    staff(town, 0, 24)

    slots = service.find_slots(town, ask(town, "north"), NOW, NOW + DAY, NOW)

    best = slots.best[0]
    assert best.starts_at.astimezone(CHINA).hour in {1, 2}
    assert best.harm_property_h == pytest.approx(10 * 2 * 0.25)
    assert best.crews == 1
    assert (slots.tried, slots.refused_blackout, slots.refused_crews) == (45, 0, 0)


def test_a_slot_without_a_crew_is_refused(town: Session) -> None:
    """Nobody closes valves at night where nobody works."""
    staff(town, 8, 18)

    slots = service.find_slots(town, ask(town, "north"), NOW, NOW + DAY, NOW)

    assert all(8 <= slot.starts_at.astimezone(CHINA).hour < 18 for slot in slots.best)
    assert slots.refused_crews > 20


def test_hours_in_which_a_hospital_must_have_water_are_refused(town: Session) -> None:
    """Over midnight, on weekdays only."""
    staff(town, 0, 24)
    service.add_blackout(town, "H", [1, 2, 3, 4, 5], dt.time(22), dt.time(6), "透析")
    shutdown = ask(town, "spur")

    slots = service.find_slots(town, shutdown, NOW, NOW + DAY, NOW)
    weekend = service.judge_slot(town, shutdown, NIGHT + 3 * DAY, NOW)

    assert slots.refused_blackout == 19
    assert all(6 <= slot.starts_at.astimezone(CHINA).hour <= 20 for slot in slots.best)
    assert weekend.is_allowed
    with pytest.raises(FieldopsError, match="must have water"):
        service.approve_shutdown(town, shutdown.id, NIGHT, "A-7", MANAGER, NOW)
    other = service.find_slots(town, ask(town, "north"), NOW, NOW + DAY, NOW)
    assert other.refused_blackout == 0


def test_two_jobs_at_once_leave_those_dry_whom_neither_would_alone(town: Session) -> None:
    """Behind a ring opened on both sides; another time costs less."""
    staff(town, 0, 24)
    first = ask(town, "north")
    service.approve_shutdown(town, first.id, NIGHT, "A-1", MANAGER, NOW)

    alone = service.judge_slot(town, ask(town, "south"), NIGHT + DAY, NOW)
    together = service.judge_slot(town, ask(town, "south"), NIGHT, NOW)

    assert (alone.jointly_dry, alone.overlaps) == (0, ())
    assert (together.jointly_dry, together.overlaps) == (30, (first.id,))
    assert alone.harm_property_h == pytest.approx(10 * 2 * 0.25)
    assert together.harm_property_h == pytest.approx(40 * 2 * 0.25)


def test_two_jobs_at_once_need_two_crews_and_spare_who_would_be_dry_by_both(
    town: Session,
) -> None:
    """The one crew is taken, and the hospital dries up only by both."""
    staff(town, 0, 24)
    first = ask(town, "north")
    service.approve_shutdown(town, first.id, NIGHT, "A-1", MANAGER, NOW)
    assert service.judge_slot(town, ask(town, "south"), NIGHT, NOW).crews == 0
    service.add_blackout(town, "H", range(1, 8), dt.time(0), dt.time(23, 59), "透析")

    together = service.judge_slot(town, ask(town, "south"), NIGHT, NOW)

    assert together.critical_refused == ("H (透析)",)
    assert service.judge_slot(town, ask(town, "south"), NIGHT + DAY, NOW).is_allowed


def test_a_certificate_counts_up_to_its_last_day(town: Session) -> None:
    """And its end spoils no earlier slot of the same search."""
    staff(town, 0, 24)
    town.execute(text("UPDATE crew_skill SET valid_until = '2026-07-05'"))
    shutdown = ask(town, "north")

    slots = service.find_slots(town, shutdown, NOW, NOW + 14 * DAY, NOW)

    days = {slot.starts_at.astimezone(CHINA).day for slot in slots.best}
    assert days <= {1, 2, 3, 4, 5}
    assert 0 < slots.refused_crews < slots.tried


def test_a_shutdown_is_approved_begun_and_over_with_its_outage(town: Session) -> None:
    """It cannot begin before it is approved, nor twice."""
    staff(town, 0, 24)
    shutdown = ask(town, "north")
    with pytest.raises(FieldopsError, match="Only an approved"):
        service.open_shutdown(town, shutdown.id, DISPATCHER, NOW)
    service.approve_shutdown(town, shutdown.id, NIGHT, "A-1", MANAGER, NOW)
    with pytest.raises(FieldopsError, match="only in its slot"):
        service.open_shutdown(town, shutdown.id, DISPATCHER, NOW)

    opened = service.open_shutdown(town, shutdown.id, DISPATCHER, NIGHT)
    with pytest.raises(FieldopsError, match="Only an approved"):
        service.open_shutdown(town, shutdown.id, DISPATCHER, NIGHT)

    outage = find_outage(town, f"O-{opened.outage_key}")
    assert outage.outage.is_planned
    assert outage.outage.connections == 1
    assert outage.outage.planned_from == NIGHT
    close = Operation(subject_kind="outage", subject_id=outage.id, action="close")
    outcome = apply_operation(town, close, DISPATCHER, NIGHT + dt.timedelta(hours=1))
    assert outcome.status == "applied", outcome
    assert service.find_shutdown(town, shutdown.id).status == "done"


def test_the_pages_lead_from_request_to_approval(client: FlaskClient, town: Session) -> None:
    """A manager asks, looks at the slots, and approves the first."""
    headers = sign_in(client, town, "manager")
    staff(town, 0, 24)
    form = {"pipes": "north\uff0c", "valves": "", "hours": "1.5", "reason": "换管"}

    asked = client.post("/shutdowns/", data=form, headers=headers, follow_redirects=True)
    wrong = client.post("/shutdowns/", data={**form, "pipes": "nowhere"}, headers=headers)
    where = asked.request.path.rsplit("/", 1)[-1]
    starts_at = dt.datetime.now(CHINA).replace(microsecond=0) + dt.timedelta(days=900)

    assert "影响最小的时段" in asked.text
    assert "停水户数</dt><dd>10</dd>" in asked.text
    assert wrong.status_code == 404
    assert "nowhere" in wrong.text
    refused = client.post(
        f"/api/v1/shutdowns/{where}/approve",
        json={"starts_at": starts_at.isoformat(), "approval_no": "A-9"},
        headers=headers,
    )
    assert refused.status_code == 409
    assert "没有可操作阀门的班组在班" in refused.get_json()["detail"]
    assert client.get("/api/v1/shutdowns").get_json()["shutdowns"][0]["status"] == "requested"
    assert client.post(f"/api/v1/shutdowns/{where}/cancel", headers=headers).status_code == 200
