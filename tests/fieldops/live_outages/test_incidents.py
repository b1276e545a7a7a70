"""Outages, the incident they belong to, and the crews' steps on its orders."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from fieldops.errors import ConflictError
from fieldops.events.queries import DRAFTS
from fieldops.incidents.service import (
    IncidentDraft,
    close_incident,
    find_incident,
    open_incident,
)
from fieldops.live_outages.service import (
    find_outage,
    list_overtaken,
    note_stage,
    promise,
    redraw_outage,
)
from fieldops.live_plans.service import next_call_hour, round_up
from fieldops.live_supply import queries
from fieldops.work_orders.service import find_order
from tests.fieldops.live_outages.jobs import DISPATCHER, Job, at
from tests.fieldops.live_outages.towns import three_in_a_row
from tests.fieldops.work_orders.orders import act, make_cast, make_crew, make_order

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from fieldops.events import service as events
    from fieldops.incidents.service import Incident


def burst(session: Session) -> Incident:
    """Open the incident of a burst in P3."""
    key = session.execute(text("SELECT key FROM pipe WHERE id = 'P3'")).scalar_one()
    return open_incident(
        session, IncidentDraft(kind="burst", pipe_key=key, at_m=50.0), DISPATCHER, at(-20)
    )


def told(session: Session) -> list[tuple[str, dict[str, object]]]:
    """List what was told of outages."""
    drafts: list[tuple[object, events.Event]] = session.info.get(DRAFTS, [])
    return [(e.kind, dict(e.body)) for _, e in drafts if e.subject_kind == "outage"]


def test_the_incident_knows_who_is_concerned_at_every_step(session: Session) -> None:
    """More with a valve that will not close, nobody when all have water again."""
    three_in_a_row().plant(session)
    incident = burst(session)
    order = make_order(session, at(0), incident_key=incident.key)
    job = Job(session, "P3", incident_id=incident.id)
    assert find_incident(session, incident.id).properties_out == 2
    assert find_order(session, order.id).customers_out == 2

    job.must("confirm_valve", 5, valve="V2", result="not_found")
    job.must("confirm_valve", 6, valve="V1", result="not_found")
    after = find_incident(session, incident.id)
    assert (after.properties_out, after.critical_ids) == (4, ["C1"])
    assert find_order(session, order.id).critical_out == 1

    job.close_valve("V0", 10).must("stage", 50, stage="repaired").open_valve("V0", 60)
    assert find_incident(session, incident.id).properties_out == 0
    assert find_order(session, order.id).customers_out == 0


def test_an_incident_stays_open_while_its_outage_is(session: Session) -> None:
    """And the outage is named."""
    three_in_a_row().plant(session)
    incident = burst(session)
    job = Job(session, "P3", incident_id=incident.id)

    with pytest.raises(ConflictError, match=job.id):
        close_incident(session, incident.id, DISPATCHER, at(5))
    job.must("close", 6)
    close_incident(session, incident.id, DISPATCHER, at(7))


def test_the_clock_of_an_outage_runs_from_the_first_report(session: Session) -> None:
    """Not from the moment when somebody opened it."""
    three_in_a_row().plant(session)
    job = Job(session, "P3", incident_id=burst(session).id)

    assert job.now.outage.aware_at == at(-20)


def test_a_crews_steps_are_the_stages_of_the_job(session: Session) -> None:
    """Assigned, arrived, repaired: each moves the forecast at once."""
    three_in_a_row().plant(session)
    cast = make_cast(session)
    incident = burst(session)
    job = Job(session, "P3", incident_id=incident.id)
    order = make_order(session, at(0), incident_key=incident.key, kind="repair")
    first = job.now.restored
    act(session, order, "triage", cast.dispatcher, at(1))
    act(session, order, "assign", cast.dispatcher, at(2), body={"crew": cast.crew_id})
    assert job.now.outage.dispatched_at == at(2)

    for minute, action in ((3, "accept"), (4, "depart"), (15, "arrive"), (16, "start")):
        outcome = act(session, order, action, cast.crew, at(minute))
        assert outcome.status == "applied", outcome
    assert job.now.outage.on_site_at == at(15)
    assert set(job.now.outage.forecast) == {"water_stopped", "repaired", "flushed", "restored"}

    job.close_valve("V2", 20)
    outcome = act(session, order, "finish", cast.crew, at(90))
    assert outcome.status == "applied", outcome
    assert job.now.outage.repaired_at == at(90)
    last = job.now.restored
    assert first is not None
    assert last is not None
    assert last["p90"] < first["p90"]


def test_a_repair_frees_the_trench_of_its_own_outage_only(session: Session) -> None:
    """An incident of two outages: the order belongs to the one that it was opened for."""
    three_in_a_row().plant(session)
    cast = make_cast(session)
    incident = burst(session)
    order = make_order(session, at(0), incident_key=incident.key, kind="repair")
    own = Job(session, "P2", incident_id=incident.id)
    other = Job(session, "P4", minute=1, incident_id=incident.id)
    assert find_order(session, order.id).outage_key == own.now.key
    nobodys = make_order(session, at(1), incident_key=incident.key, kind="repair")
    for each, crew, member in (
        (order, cast.crew_id, cast.crew),
        (nobodys, cast.other_crew_id, cast.other_crew),
    ):
        act(session, each, "triage", cast.dispatcher, at(1))
        act(session, each, "assign", cast.dispatcher, at(2), body={"crew": crew})
        for minute, action in ((3, "accept"), (4, "depart"), (15, "arrive"), (16, "start")):
            act(session, each, action, member, at(minute))
    other.close_valve("V3", 20)
    assert act(session, nobodys, "finish", cast.other_crew, at(50)).status == "applied"
    assert (own.now.outage.repaired_at, other.now.outage.repaired_at) == (None, None)
    assert act(session, order, "finish", cast.crew, at(60)).status == "applied"

    assert (own.now.outage.repaired_at, other.now.outage.repaired_at) == (at(60), None)
    assert other.do("reopen_valve", 61, valve="V3").status == "illegal"


def test_nobody_counts_twice_in_an_incident(session: Session) -> None:
    """Two outages of one incident overlap; one and the same is not opened twice."""
    three_in_a_row().plant(session)
    incident = burst(session)
    order = make_order(session, at(0), incident_key=incident.key)
    Job(session, "P3", incident_id=incident.id)
    Job(session, "P4", minute=1, incident_id=incident.id)

    after = find_incident(session, incident.id)
    assert (after.properties_out, after.people_out) == (2, 4)
    assert find_order(session, order.id).customers_out == 2
    with pytest.raises(ConflictError, match="open already at this place"):
        Job(session, "P3", minute=2, incident_id=incident.id)


def test_a_valve_crew_does_not_repair(session: Session) -> None:
    """The end of its order makes safe; the trench is still open."""
    three_in_a_row().plant(session)
    cast = make_cast(session)
    incident = burst(session)
    job = Job(session, "P3", incident_id=incident.id)
    order = make_order(session, at(0), incident_key=incident.key, kind="make_safe")
    act(session, order, "triage", cast.dispatcher, at(1))
    act(session, order, "assign", cast.dispatcher, at(2), body={"crew": cast.crew_id})
    for minute, action in ((3, "accept"), (4, "depart"), (15, "arrive"), (16, "start")):
        act(session, order, action, cast.crew, at(minute))
    assert act(session, order, "finish", cast.crew, at(30)).status == "applied"

    assert job.now.outage.on_site_at == at(15)
    assert job.now.outage.repaired_at is None


def test_every_step_is_told_with_what_a_screen_needs(session: Session) -> None:
    """Opened, confirmed, replanned with its difference, partly restored, restored, closed."""
    three_in_a_row().plant(session)
    job = Job(session, "P3")
    job.must("confirm_valve", 5, valve="V2", result="will_not_close").close_valve("V1", 10)
    job.must("stage", 50, stage="repaired").open_valve("V1", 60).must("close", 70)
    found = told(session)

    assert [kind for kind, _ in found] == [
        "outage.opened",
        "outage.valve_confirmed",
        "outage.replanned",
        "outage.valve_confirmed",
        "outage.plan_executed",
        "outage.stage_reached",
        "outage.valve_reopened",
        "outage.restored",
        "outage.part_restored",
        "outage.closed",
    ]
    replanned = dict(found)["outage.replanned"]
    difference = replanned["difference"]
    assert isinstance(difference, dict)
    assert (difference["valves_added"], difference["customers_added"]) == (["V1"], 1)
    assert dict(found)["outage.part_restored"]["customers_regained"] == 3
    closed = dict(found)["outage.closed"]
    assert closed["stages"] == {
        "aware": at(0).isoformat(),
        "on_site": at(5).isoformat(),
        "water_stopped": at(10).isoformat(),
        "repaired": at(50).isoformat(),
        "restored": at(60).isoformat(),
    }
    assert all(body["id"] == job.id for _, body in found)


def test_a_wide_forecast_promises_the_next_news_and_no_time(session: Session) -> None:
    """Sixteen hours, give or take ten, is nothing to tell anybody."""
    three_in_a_row().plant(session)
    job = Job(session, "P3")
    said = promise(session, job.now.outage, at(0))

    assert said.by is None
    assert said.next_news_at == round_up(at(120))


def test_a_promise_is_the_p90_rounded_up_to_the_half_hour(session: Session) -> None:
    """After the repair the rest is sure enough."""
    three_in_a_row().plant(session)
    job = Job(session, "P3").close_valve("V2", 30).must("stage", 60, stage="repaired")
    restored = job.now.restored
    assert restored is not None
    p90 = dt.datetime.fromisoformat(restored["p90"])
    said = promise(session, job.now.outage, at(60))

    assert said.by is not None
    assert dt.timedelta(0) <= said.by - p90 < dt.timedelta(minutes=30)
    assert (said.by.minute % 30, said.by.second, said.by.microsecond) == (0, 0, 0)
    assert said.next_news_at is None


def test_a_promise_moves_only_by_more_than_half_an_hour(session: Session) -> None:
    """And one that has passed is a promise no more."""
    three_in_a_row().plant(session)
    job = Job(session, "P3").close_valve("V2", 30).must("stage", 60, stage="repaired")
    before = job.now.outage
    job.must("stage", 75, stage="flushed")
    moved = job.now.outage
    p90 = dt.datetime.fromisoformat(moved.forecast["restored"]["p90"])
    assert before.promised_by is not None
    is_far = abs(round_up(p90) - before.promised_by) > dt.timedelta(minutes=30)
    assert (moved.promised_by != before.promised_by) == is_far
    assert moved.promised_by is not None
    late = promise(session, moved, moved.promised_by + dt.timedelta(minutes=1))

    assert late.by is None
    assert late.next_news_at is not None


def test_forecasts_that_time_has_overtaken_are_drawn_anew(session: Session) -> None:
    """Nothing happens for five days: the water is expected later than now all the same."""
    three_in_a_row().plant(session)
    job = Job(session, "P3")
    now = at(60 * 24 * 5)
    assert list_overtaken(session, at(1)) == []
    assert list_overtaken(session, now) == [job.id]
    redraw_outage(session, job.id, now)

    assert job.now.restored is not None
    assert dt.datetime.fromisoformat(job.now.restored["p50"]) > now
    expected = job.rows["C3"].restored_p50_at
    assert expected is not None
    assert expected > now


def test_nobody_is_called_at_night() -> None:
    """From 21:00 to 08:00 where the customers live."""
    evening = dt.datetime(2026, 3, 2, 13, 30, tzinfo=dt.UTC)
    morning = dt.datetime(2026, 3, 3, 0, 0, tzinfo=dt.UTC)

    assert next_call_hour(evening) == morning
    assert next_call_hour(morning - dt.timedelta(hours=2)) == morning
    assert next_call_hour(morning) == morning


def test_a_planned_outage_is_forecast_as_it_was_announced(session: Session) -> None:
    """Dry from the announced beginning at the earliest, until the announced end."""
    three_in_a_row().plant(session)
    job = Job(
        session,
        "P3",
        is_planned=True,
        planned_from=at(60),
        planned_until=at(300),
        reason="更换阀门",
    )
    row = find_outage(session, job.id)

    assert job.rows["C3"].expected_lost_at is not None
    assert job.rows["C3"].expected_lost_at > at(60)
    assert row.restored is not None
    assert dt.datetime.fromisoformat(row.restored["p50"]) == at(300)
    assert row.outage.promised_by == at(300)


def test_a_contractors_crew_works_the_valves_of_its_own_jobs_only(session: Session) -> None:
    """The utility's own crews help each other."""
    three_in_a_row().plant(session)
    cast = make_cast(session)
    contractors, member = make_crew(session, contractor="城南管道")
    incident = burst(session)
    job = Job(session, "P3", incident_id=incident.id)
    said = job.do("confirm_valve", 5, member, valve="V2", result="closed_tight")
    assert said.status == "forbidden"
    assert job.do("confirm_valve", 5, cast.crew, valve="V2", result="closed_tight").status == (
        "applied"
    )

    order = make_order(session, at(6), incident_key=incident.key)
    act(session, order, "triage", cast.dispatcher, at(7))
    act(session, order, "assign", cast.dispatcher, at(8), body={"crew": contractors})
    said = job.do("confirm_valve", 9, member, valve="V2", result="passing", accept_passing=True)
    assert said.status == "applied"


def test_a_step_that_meets_a_busy_valve_is_noted_a_moment_later(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for a lock with a locked order in hand: the worker does it."""
    three_in_a_row().plant(session)
    cast = make_cast(session)
    incident = burst(session)
    job = Job(session, "P3", incident_id=incident.id)
    order = make_order(session, at(0), incident_key=incident.key, kind="repair")
    act(session, order, "triage", cast.dispatcher, at(1))
    monkeypatch.setattr(queries, "try_lock_valve_work", lambda _session: False)
    act(session, order, "assign", cast.dispatcher, at(2), body={"crew": cast.crew_id})
    assert job.now.outage.dispatched_at is None

    queued = "SELECT args FROM procrastinate_jobs WHERE task_name = 'live_outages.note_stage'"
    arguments = session.execute(text(queued)).scalar_one()
    assert arguments["outage_id"] == job.id
    note_stage(session, job.id, arguments["stage"], at(2), at(3))
    assert job.now.outage.dispatched_at == at(2)


def test_a_job_ends_though_an_import_took_its_pipe_away(session: Session) -> None:
    """Its valves are opened, its customers have their minutes; only the forecast stands still."""
    three_in_a_row().customer("C9", "P1", 10).plant(session)
    job = Job(session, "P3").close_valve("V2", 10).must("stage", 20, stage="repaired")
    session.execute(text("UPDATE pipe SET id = 'P3-new' WHERE id = 'P3'"))
    job.open_valve("V2", 30)

    assert job.dry == {"C3": (10, 30), "C4": (10, 30)}
    job.must("close", 40)
