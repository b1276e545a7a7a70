"""Every customer's own interval, what several jobs do together, and the minutes lost."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from fieldops.live_outages.forms import kept_running, minutes_of, minutes_so_far
from fieldops.live_outages.service import (
    count_minutes,
    find_live_outage_at,
    sum_own_minutes,
)
from fieldops.live_supply.queries import fetch_live, fetch_plans
from tests.fieldops.live_outages.jobs import DISPATCHER, Job, at
from tests.fieldops.live_outages.towns import three_in_a_row, two_feeds
from tests.fieldops.outages.towns import Town

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from fieldops.live_supply.queries import MinutesLost


def lost(session: Session) -> MinutesLost:
    """Count what was lost on the day of these tests."""
    return count_minutes(session, at(-600), at(1440))


def test_a_customer_is_dry_when_the_last_valve_of_the_ring_is_shut(session: Session) -> None:
    """Not when the first is: water comes from the other side until then."""
    two_feeds().plant(session)
    job = Job(session, "S2", at_m=50).close_valve("VS2", 10)
    assert job.dry == {}
    job.close_valve("VS", 25)

    assert job.dry == {"CS": (25, None)}
    assert job.now.outage.water_stopped_at == at(25)


def test_what_is_told_late_counts_from_when_it_happened_and_mattered(session: Session) -> None:
    """A tablet without a network: closed at 10, told at 40; opened at 90, told at 130."""
    two_feeds().plant(session)
    job = Job(session, "S2", at_m=50).close_valve("VS2", 30)
    job.close_valve("VS", 40, occurred_at=at(10))
    assert job.dry == {"CS": (30, None)}
    assert job.now.outage.water_stopped_at == at(30)
    assert job.now.plan.executed_at == at(30)
    job.must("stage", 50, stage="repaired").open_valve("VS", 60).open_valve("VS2", 70)
    assert job.dry == {"CS": (30, 60)}


def test_water_is_back_when_the_last_valve_that_mattered_was_opened(session: Session) -> None:
    """Two valves in a row: the second was opened first, and told last."""
    three_in_a_row().plant(session)
    job = Job(session, "P2")
    job.must("confirm_valve", 5, valve="V1", result="will_not_close").close_valve("V0", 20)
    job.close_valve("V1", 40).must("stage", 60, stage="repaired")
    job.open_valve("V0", 120).open_valve("V1", 130, occurred_at=at(90))

    assert job.dry["C2"] == (20, 120)
    assert job.now.outage.restored_at == at(120)


def test_two_jobs_leave_dry_whom_neither_does_alone(session: Session) -> None:
    """The house at the end is added to the later job, and that is said."""
    two_feeds().plant(session)
    south = Job(session, "S2")
    north = Job(session, "N2", minute=5)

    assert set(south.rows) == {"CS"}
    assert {name: row.cause for name, row in north.rows.items()} == {"CN": "shut", "CE": "joint"}
    assert north.now.outage.connections == 2

    south.close_valve("VS", 10).close_valve("VS2", 11)
    assert north.dry == {}
    north.close_valve("VN", 20)
    assert north.dry == {"CN": (20, None), "CE": (20, None)}
    north.close_valve("VN2", 30)

    south.must("stage", 50, stage="repaired").open_valve("VS", 60)
    assert north.dry["CE"] == (20, None)
    assert (north.now.outage.connections, north.now.outage.customers_out) == (2, 2)
    south.open_valve("VS2", 61)
    assert north.dry == {"CN": (20, None), "CE": (20, 61)}
    assert (north.now.outage.connections, north.now.outage.customers_out) == (1, 1)
    assert south.dry == {"CS": (11, 60)}


def test_whom_two_jobs_would_have_left_dry_is_spared_when_one_ends(session: Session) -> None:
    """Nothing has happened to the house at the end, so nothing is kept of it."""
    two_feeds().plant(session)
    south = Job(session, "S2")
    north = Job(session, "N2", minute=5)
    assert "CE" in north.rows
    south.must("close", 8)

    assert set(north.rows) == {"CN"}
    assert north.now.outage.connections == 1


def test_water_is_back_part_by_part(session: Session) -> None:
    """Of two segments shut together the outer one is opened first."""
    three_in_a_row().plant(session)
    job = Job(session, "P2")
    job.must("confirm_valve", 5, valve="V1", result="will_not_close")
    job.close_valve("V0", 20)
    assert set(job.dry) == {"C1", "C2", "C3", "C4"}

    job.must("confirm_valve", 40, valve="V1", result="closed_tight")
    assert job.states["V0"] == ("surplus", "closed_tight")
    assert job.now.plan.difference is not None
    assert job.now.plan.difference["customers_removed"] == 1

    job.open_valve("V0", 50)
    assert job.dry["C1"] == (20, 50)
    assert job.dry["C2"] == (20, None)
    assert job.now.status == "open"

    job.must("stage", 100, stage="repaired").open_valve("V1", 110)
    assert job.dry["C2"] == (20, 110)
    assert job.now.status == "restored"


def test_a_large_quick_cut_is_shrunk_later(session: Session) -> None:
    """Both stages are plans that somebody approved."""
    three_in_a_row().plant(session)
    job = Job(session, "P3")
    job.must("choose_plan", 2, skipped=["V2"])
    assert job.now.plan.number == 1
    job.must("approve_plan", 3, plan=2).close_valve("V1", 10)
    assert set(job.dry) == {"C2", "C3", "C4"}

    job.must("shrink", 20).must("approve_plan", 21)
    assert job.states["V2"] == ("close", "to_close")
    assert job.states["V1"] == ("surplus", "closed_tight")
    refused = job.do("reopen_valve", 22, valve="V1")
    assert refused.status == "illegal"

    job.close_valve("V2", 30).open_valve("V1", 35)
    assert job.dry["C2"] == (10, 35)
    assert job.dry["C3"] == (10, None)
    plans = fetch_plans(session, [job.now.key])
    assert [plan.status for plan in plans] == [
        "superseded",
        "superseded",
        "executed",
    ]


def test_a_building_tank_keeps_the_tap_running(session: Session) -> None:
    """Mains off and tap dry are two times."""
    town = Town().pipe("P1", "AB").source("S1", "A").valve("V1", "P1", 0)
    town.customer("C1", "P1", building_tank_m3=1.0, demand_l_per_property_day=12_000)
    town.customer("C2", "P1", 60, building_tank_m3=1.0)
    town.plant(session)
    job = Job(session, "P1").close_valve("V1", 10)

    assert job.rows["C1"].tank_lasts_h == pytest.approx(2)
    assert job.rows["C2"].tank_lasts_h is None


def test_minutes_count_from_the_dry_tap(session: Session) -> None:
    """A tank of two hours: nothing is lost in one hour, half an hour in two and a half."""
    town = Town().pipe("P1", "AB").source("S1", "A").valve("V1", "P1", 0)
    town.customer("C1", "P1", building_tank_m3=1.0, demand_l_per_property_day=12_000)
    town.customer("C2", "P1", 60)
    town.plant(session)
    job = Job(session, "P1").close_valve("V1", 0)
    job.must("stage", 40, stage="repaired").open_valve("V1", 60)
    assert lost(session).customer_minutes == 60
    assert minutes_of(job.rows["C1"]) == 0
    assert kept_running(job.rows["C1"])

    job = Job(session, "P1", minute=200).close_valve("V1", 200)
    assert count_minutes(session, at(150), at(300)).customer_minutes == 100
    assert minutes_so_far(job.rows["C1"], at(330)) == 10
    job.must("stage", 300, stage="repaired").open_valve("V1", 350)

    found = lost(session)
    assert (found.customer_minutes, found.interruptions) == (60 + 150 + 30, 3)
    assert minutes_of(job.rows["C1"]) == 30
    assert sum_own_minutes(session, [job.now.key], at(400))[job.now.key].property_minutes == 180


def test_forecasts_follow_what_happens(session: Session) -> None:
    """After the repair the water is expected sooner, and surer, than before."""
    three_in_a_row().plant(session)
    job = Job(session, "P3")
    early = job.now.restored
    job.close_valve("V2", 30)
    stopped = job.now.outage.forecast
    job.must("stage", 120, stage="repaired")
    late = job.now.restored

    assert early is not None
    assert late is not None
    assert "water_stopped" not in stopped
    assert width(late) < width(early)
    assert late["p50"] < early["p50"]
    assert job.rows["C3"].restored_p90_at == dt.datetime.fromisoformat(late["p90"])


def width(forecast: dict[str, str]) -> dt.timedelta:
    """Give the width of a forecast's 80 % interval."""
    return dt.datetime.fromisoformat(forecast["p90"]) - dt.datetime.fromisoformat(forecast["p10"])


def test_minutes_are_the_union_of_a_customers_intervals(session: Session) -> None:
    """Two jobs that overlap for an hour count it once."""
    three_in_a_row().plant(session)
    one = Job(session, "P3").close_valve("V2", 0)
    other = Job(session, "P2", minute=5).close_valve("V1", 60)
    one.must("stage", 70, stage="repaired").open_valve("V2", 120)
    other.must("stage", 150, stage="repaired").open_valve("V1", 180)
    found = lost(session)

    # C3 and C4 from 0 to 180, C2 from 60 to 180.
    assert found.customer_minutes == 180 + 180 + 120
    assert found.people_minutes == 2 * found.customer_minutes
    assert (found.customers, found.interruptions, found.interruptions_long) == (3, 3, 2)


def test_planned_minutes_are_what_no_unplanned_outage_cost(session: Session) -> None:
    """An hour under both counts as unplanned."""
    three_in_a_row().plant(session)
    planned = Job(session, "P4", is_planned=True).close_valve("V3", 0)
    burst = Job(session, "P3", minute=5).close_valve("V2", 60)
    planned.must("stage", 70, stage="repaired").open_valve("V3", 120)
    burst.must("stage", 150, stage="repaired").open_valve("V2", 120)
    found = lost(session)

    assert found.customer_minutes == 120 + 60
    assert found.customer_minutes_unplanned == 60 + 60


def test_a_planned_outage_counts_from_the_first_valve_though_it_begins_early(
    session: Session,
) -> None:
    """Announced for ten o'clock, shut at ten past two."""
    three_in_a_row().plant(session)
    Job(session, "P4", is_planned=True, planned_from=at(600), planned_until=at(900)).close_valve(
        "V3", 10
    )

    assert count_minutes(session, at(0), at(300)).customer_minutes == 290


def test_only_what_lies_in_the_period_counts(session: Session) -> None:
    """And an interruption that goes on counts until the period ends."""
    three_in_a_row().plant(session)
    Job(session, "P4").close_valve("V3", 0)

    assert count_minutes(session, at(30), at(90)).customer_minutes == 60
    assert count_minutes(session, at(-90), at(-30)).customer_minutes == 0


def test_a_drill_counts_in_no_figure_and_teaches_the_network_nothing(session: Session) -> None:
    """Real jobs know nothing of it."""
    three_in_a_row().plant(session)
    drill = Job(session, "P3", is_drill=True).close_valve("V2", 10, tag="900")
    real = Job(session, "P2", minute=12)

    assert drill.dry == {"C3": (10, None), "C4": (10, None)}
    assert lost(session).customer_minutes == 0
    position = "SELECT position FROM valve WHERE id = 'V2'"
    assert session.execute(text(position)).scalar_one() == "open"
    assert real.states["V1"] == ("close", "to_close")
    assert [one.id for one in fetch_live(session, is_drill=False)] == [real.id]
    real.close_valve("V1", 20).must("stage", 30, stage="repaired").open_valve("V1", 40)
    assert real.dry["C3"] == (20, 40)


def test_an_outage_with_somebody_dry_is_not_closed(session: Session) -> None:
    """Nor with a tag on a valve or a valve shut, and the database holds it."""
    three_in_a_row().plant(session)
    job = Job(session, "P3").close_valve("V2", 10)
    refused = job.do("close", 20)
    assert refused.message % refused.params == "2 customers are still dry by it."

    with pytest.raises(IntegrityError, match="still keeps somebody dry"):
        session.execute(
            text("UPDATE outage SET status = 'closed', closed_at = now(), closed_by = 'x'")
        )


def test_what_comes_after_the_end_is_kept_as_a_fact(session: Session) -> None:
    """It happened all the same."""
    three_in_a_row().plant(session)
    job = Job(session, "P3").must("close", 5)
    assert (job.now.outage.connections, job.rows) == (0, {})
    late = job.do("confirm_valve", 10, valve="V2", result="closed_tight")

    assert (late.status, late.is_kept_as_fact) == ("illegal", True)
    assert job.dry == {}


def test_a_caller_is_told_of_the_outage_she_is_in(session: Session) -> None:
    """By customer, or by the pipe in front of the house; not after her water is back."""
    three_in_a_row().plant(session)
    job = Job(session, "P3")
    keys = {row[0]: row[1] for row in session.execute(text("SELECT id, key FROM customer"))}
    pipes = {row[0]: row[1] for row in session.execute(text("SELECT id, key FROM pipe"))}

    def told(**where: object) -> str | None:
        found = find_live_outage_at(session, **where)  # type: ignore[arg-type]
        return found.id if found else None

    assert told(customer_keys=[keys["C4"]]) == job.id
    assert told(customer_keys=[keys["C1"]]) is None
    assert told(pipe_key=pipes["P4"]) == job.id
    assert told(pipe_key=pipes["P1"]) is None
    job.close_valve("V2", 10).must("stage", 20, stage="repaired").open_valve("V2", 30)
    assert told(customer_keys=[keys["C4"]]) is None
    assert told(pipe_key=pipes["P4"]) is None


def test_two_people_who_say_different_things_of_a_valve_both_hear_it(session: Session) -> None:
    """The second decided on an older state."""
    three_in_a_row().plant(session)
    job = Job(session, "P3")
    seen = job.now.outage.version
    job.close_valve("V2", 10)
    later = job.do(
        "confirm_valve", 11, DISPATCHER, valve="V2", result="will_not_close", base_version=seen
    )

    assert later.status == "conflict"
    assert later.conflicts == {"valve:V2": {"mine": "will_not_close", "theirs": "closed_tight"}}
    assert job.states["V2"] == ("close", "closed_tight")


def test_after_the_end_nobody_is_expected_to_be_dry(session: Session) -> None:
    """Whatever a crew records later; and a second closing begins a second interval."""
    three_in_a_row().plant(session)
    job = Job(session, "P3").close_valve("V2", 10).must("stage", 20, stage="repaired")
    job.open_valve("V2", 30).must("stage", 40, stage="flushed")
    assert (job.now.status, job.now.outage.connections) == ("restored", 0)
    assert job.now.outage.forecast == {}

    job.close_valve("V2", 50)
    assert (job.now.status, job.now.outage.customers_out) == ("open", 2)
    job.open_valve("V2", 65)
    assert job.now.status == "restored"
    assert lost(session).customer_minutes == 2 * (20 + 15)
    assert lost(session).interruptions == 4


def test_whom_the_plan_feared_for_nothing_is_forgotten(session: Session) -> None:
    """Somebody with water when all is shut is not counted any longer."""
    town = Town().pipe("P1", "AB").pipe("P2", "BC").pipe("P3", "CD").source("S1", "A")
    town.valve("V1", "P2", 0).valve("V2", "P3", 0).valve("V3", "P3", 100, position="closed")
    town.pipe("P4", "DE").source("S2", "E").customer("C2", "P2").customer("C3", "P3")
    town.plant(session)
    job = Job(session, "P2")
    assert set(job.rows) == {"C2", "C3"}
    job.must("refeed", 4, valve="V3").close_valve("V2", 5).close_valve("V1", 10)

    assert set(job.rows) == {"C2"}
    assert job.now.outage.connections == 1
