"""What crews find at valves, and what follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from fieldops.live_outages.service import is_turns_short
from fieldops.live_supply.queries import fetch_plans, fetch_tags
from fieldops.network.service import describe_valve
from tests.fieldops.live_outages.jobs import CREW, Job, at
from tests.fieldops.live_outages.test_plans import other_side
from tests.fieldops.live_outages.towns import three_in_a_row
from tests.fieldops.outages.towns import Town

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def test_a_valve_that_will_not_close_makes_a_larger_plan_at_once(session: Session) -> None:
    """The next valve is named, and who loses supply besides."""
    three_in_a_row().plant(session)
    job = Job(session, "P3")
    assert job.states["V2"] == ("close", "to_close")

    job.must("confirm_valve", 10, valve="V2", result="will_not_close", turns=3)

    assert job.now.plan.number == 2
    assert job.now.plan.status == "proposed"
    assert job.now.plan.difference == {
        "valves_added": ["V1"],
        "valves_removed": ["V2"],
        "customers_added": 1,
        "customers_removed": 0,
        "properties_added": 1,
        "critical_added": [],
        "critical_removed": [],
    }
    assert job.states["V1"] == ("close", "to_close")
    assert job.states["V2"] == ("stuck", "will_not_close")
    assert set(job.rows) == {"C2", "C3", "C4"}
    assert describe_valve(session, "V2")["operability"] == "inoperable"


def test_critical_customers_who_come_in_are_named(session: Session) -> None:
    """Two valves fail one after the other, and the hospital is inside."""
    three_in_a_row().plant(session)
    job = Job(session, "P3")
    job.must("confirm_valve", 10, valve="V2", result="will_not_close")
    job.must("confirm_valve", 20, valve="V1", result="not_found")

    plan = job.now.plan
    assert plan.number == 3
    assert plan.difference is not None
    assert plan.difference["critical_added"] == ["C1"]
    assert describe_valve(session, "V1")["reachable"] is False
    assert [one.status for one in fetch_plans(session, [job.now.key])] == [
        "approved",
        "superseded",
        "proposed",
    ]


def test_a_valve_that_passes_bounds_nothing_unless_somebody_accepts_it(session: Session) -> None:
    """The name of whoever took the trickle upon himself is kept."""
    three_in_a_row().plant(session)
    job = Job(session, "P3")
    job.must("confirm_valve", 10, valve="V2", result="passing")

    assert job.states["V2"] == ("stuck", "passing")
    assert job.states["V1"] == ("close", "to_close")
    assert job.dry == {}

    outcome = job.do("confirm_valve", 15, CREW, valve="V2", result="passing", accept_passing=True)

    assert outcome.status == "applied"
    assert job.states["V2"] == ("close", "passing")
    assert "V1" not in job.states
    assert next(one for one in job.now.valves if one.valve == "V2").accepted_by == "李强"
    assert job.dry == {"C3": (15, None), "C4": (15, None)}


def test_a_passing_valve_leaves_the_facts_alone_until_it_is_accepted(session: Session) -> None:
    """Other questions must not take it for shut."""
    three_in_a_row().plant(session)
    job = Job(session, "P3")
    job.must("confirm_valve", 10, valve="V2", result="passing")
    assert describe_valve(session, "V2")["position"] == "open"

    job.must("confirm_valve", 11, valve="V2", result="passing", accept_passing=True)
    assert describe_valve(session, "V2")["position"] == "closed"


def test_turns_counted_are_held_against_turns_recorded(session: Session) -> None:
    """Twelve of twenty turns: the valve may not be down."""
    three_in_a_row().plant(session)
    job = Job(session, "P3").close_valve("V2", 10, turns=12)
    valve = next(one for one in job.now.valves if one.valve == "V2")

    assert (valve.turns_counted, valve.turns_recorded) == (12, 20)
    assert is_turns_short(valve)
    job.close_valve("V2", 12, turns=19)
    assert not is_turns_short(next(one for one in job.now.valves if one.valve == "V2"))


def test_a_valve_that_will_not_reopen_keeps_dry_whoever_is_behind_it(session: Session) -> None:
    """It is a new closed link; nobody knows when it opens."""
    three_in_a_row().plant(session)
    job = Job(session, "P3").close_valve("V2", 10).must("stage", 60, stage="repaired")
    job.must("reopen_valve", 70, valve="V2", result="will_not_reopen")

    assert job.dry == {"C3": (10, None), "C4": (10, None)}
    assert job.rows["C3"].restored_p50_at is None
    assert job.now.status == "open"
    assert describe_valve(session, "V2")["operability"] == "inoperable"
    assert describe_valve(session, "V2")["position"] == "closed"

    job.open_valve("V2", 300)
    assert job.dry == {"C3": (10, 300), "C4": (10, 300)}


def test_a_stuck_valve_ends_the_promise_and_is_planned_round(session: Session) -> None:
    """Next news instead of a time; the closed valve on the other side is offered."""
    other_side().plant(session)
    job = Job(session, "P2").close_valve("V1", 10).must("stage", 60, stage="repaired")
    assert job.now.outage.promised_by is not None
    job.must("reopen_valve", 70, valve="V1", result="will_not_reopen")

    assert job.now.restored is None
    assert job.now.outage.promised_by is None
    assert job.now.outage.next_news_at == at(210)
    assert (job.now.plan.number, job.now.plan.because["code"]) == (2, "will-not-reopen")
    assert job.states["V3"] == ("refeed", "to_open")

    job.must("restore_part", 90, part="refeed:V3")
    assert {name: times[1] for name, times in job.dry.items()} == {"C2": 90, "C3": 90}
    assert job.now.status == "restored"


def test_who_is_behind_a_stuck_valve_but_fed_otherwise_has_water(session: Session) -> None:
    """Of a loop cut at two valves, one that will not reopen leaves nobody dry."""
    town = Town().pipe("P1", "AB").pipe("P2", "BC").pipe("P3", "Bb").pipe("P4", "bc")
    town.pipe("P5", "cC").source("S1", "A").customer("C2", "P2").customer("C5", "P5")
    town.valve("V1", "P2", 0).valve("V2", "P5", 0).valve("V3", "P2", 100)
    town.plant(session)
    job = Job(session, "P2")
    assert {name for name, one in job.states.items() if one[0] == "close"} == {"V1", "V3"}

    job.close_valve("V1", 10).close_valve("V3", 20)
    assert job.dry == {"C2": (20, None)}

    job.must("stage", 60, stage="repaired")
    job.must("reopen_valve", 70, valve="V1", result="will_not_reopen")
    assert job.dry == {"C2": (20, None)}
    job.open_valve("V3", 80)
    assert job.dry == {"C2": (20, 80)}
    assert job.now.status == "restored"


def test_the_trench_is_not_refilled_before_the_repair(session: Session) -> None:
    """Unless the same call says that it is repaired."""
    three_in_a_row().plant(session)
    job = Job(session, "P3").close_valve("V2", 10)

    assert job.do("reopen_valve", 20, valve="V2").status == "illegal"
    assert job.dry == {"C3": (10, None), "C4": (10, None)}

    job.open_valve("V2", 30, repaired=True)
    assert job.now.outage.repaired_at == at(30)
    assert job.dry == {"C3": (10, 30), "C4": (10, 30)}


def test_a_tag_is_matched_by_its_number_and_its_photos_are_kept(session: Session) -> None:
    """Hung with one photograph, taken off with another."""
    three_in_a_row().plant(session)
    hung, off = "a" * 64, "b" * 64
    job = Job(session, "P3").close_valve("V2", 10, tag="117", photo=hung)
    job.must("stage", 20, stage="repaired")

    assert job.do("reopen_valve", 30, valve="V2").status == "illegal"
    wrong = job.do("reopen_valve", 30, valve="V2", tag="118")
    assert wrong.message % wrong.params == "Tag 117 hangs on V2, not 118. Is it the right valve?"

    job.open_valve("V2", 31, tag="117", photo=off)
    (tag,) = fetch_tags(session, [job.now.key])
    assert (tag.number, tag.hung_photo, tag.taken_off_photo) == ("117", hung, off)
    assert (tag.hung_at, tag.taken_off_at) == (at(10), at(31))


def test_a_numbered_tag_hangs_in_one_place_only(session: Session) -> None:
    """And one job hangs one tag on a valve."""
    three_in_a_row().plant(session)
    Job(session, "P3").close_valve("V2", 10, tag="117")
    other = Job(session, "P4", minute=15)
    refused = other.do("confirm_valve", 20, valve="V3", result="closed_tight", tag="117")

    assert refused.status == "illegal"
    assert refused.message % refused.params == (f"Tag 117 hangs on V2 for O-{other.now.key - 1}.")
    assert other.states["V3"] == ("close", "to_close")


def test_the_database_refuses_to_open_a_valve_that_anothers_tag_hangs_on(session: Session) -> None:
    """Whatever a program says, and the job is named."""
    three_in_a_row().plant(session)
    one = Job(session, "P3").close_valve("V2", 10, tag="117")
    other = Job(session, "P2", minute=12).close_valve("V1", 20).close_valve("V2", 21, tag="118")
    one.must("stage", 60, stage="repaired")

    said = one.do("reopen_valve", 70, valve="V2", tag="117")
    assert said.status == "illegal"
    assert said.message % said.params == f"V2 must stay shut: tag 118 of {other.id} hangs on it."

    with pytest.raises(IntegrityError, match=f"must stay shut for {other.id}"):
        session.execute(
            text(
                "UPDATE outage_valve SET state = 'reopened' WHERE valve = 'V2' AND outage_key = :k"
            ),
            {"k": one.now.key},
        )


def test_a_valve_that_another_job_needs_is_handed_over(session: Session) -> None:
    """The first job ends, and its customers stay dry by the second."""
    three_in_a_row().plant(session)
    one = Job(session, "P3").close_valve("V2", 10, tag="117")
    other = Job(session, "P2", minute=12).close_valve("V1", 20).close_valve("V2", 21, tag="118")
    one.must("stage", 60, stage="repaired")
    one.must("reopen_valve", 70, valve="V2", result="handed_over", tag="117")

    assert one.dry == {"C3": (10, 70), "C4": (10, 70)}
    assert other.dry == {"C2": (20, None), "C3": (20, None), "C4": (20, None)}
    one.must("close", 80)
    other.must("stage", 90, stage="repaired").open_valve("V1", 95)
    other.open_valve("V2", 100, tag="118")
    assert other.dry["C2"] == (20, 95)
    assert other.dry["C3"] == (20, 100)


def test_reopening_one_job_never_fills_anothers_trench(session: Session) -> None:
    """B's trench lies in the dry street of A, behind a valve that B never had to close."""
    three_in_a_row().plant(session)
    upper = Job(session, "P2").close_valve("V1", 10)
    lower = Job(session, "P3", minute=12)
    # Who works at P3 trusts that V1 is shut, and has closed nothing yet.
    upper.must("stage", 60, stage="repaired")
    said = upper.do("reopen_valve", 70, valve="V1")

    assert said.status == "illegal"
    assert said.message % said.params == (
        f"V1 must stay shut: opening it would fill the trench of {lower.id}."
    )
    lower.close_valve("V2", 80)
    upper.open_valve("V1", 90)
    assert upper.dry["C2"] == (10, 90)
    assert lower.dry["C3"] == (80, None)


def test_a_leaking_boundary_valve_is_no_boundary(session: Session) -> None:
    """A valve recorded as closed that passes: the segment reaches past it."""
    town = Town().pipe("P1", "AB").pipe("P2", "BC").pipe("P3", "CD")
    town.source("S1", "A").source("S2", "D").customer("C2", "P2").customer("C3", "P3")
    town.valve("V1", "P2", 0).valve("V2", "P2", 100, position="closed").valve("V3", "P3", 100)
    town.plant(session)
    job = Job(session, "P2").close_valve("V1", 10)
    assert job.states["V2"] == ("verify_shut", "to_close")
    job.must("confirm_valve", 20, valve="V2", result="passing")

    assert job.states["V3"] == ("close", "to_close")
    assert set(job.rows) == {"C2", "C3"}


def test_two_valves_opened_together_fill_no_trench_that_each_alone_would_not(
    session: Session,
) -> None:
    """Neither guards the other job's trench while both are shut; the second does then."""
    three_in_a_row().plant(session)
    upper = Job(session, "P2")
    upper.must("confirm_valve", 5, valve="V1", result="will_not_close").close_valve("V0", 10)
    upper.close_valve("V1", 12)
    lower = Job(session, "P4", minute=13)
    upper.must("stage", 20, stage="repaired")
    said = upper.do("restore_part", 30, valves=["V0", "V1"])

    assert said.status == "illegal"
    assert said.message % said.params == (
        f"V1 must stay shut: opening it would fill the trench of {lower.id}."
    )
    assert upper.states["V0"][1] == upper.states["V1"][1] == "closed_tight"
