"""Plans, not one answer: nearest ring, fewest customers, fastest to close, valves by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from fieldops.errors import ConflictError
from fieldops.events.queries import DRAFTS
from fieldops.live_outages.service import list_choices, show_outage
from fieldops.live_supply.queries import fetch_plans
from tests.fieldops.live_outages.jobs import Job, at
from tests.fieldops.live_outages.towns import three_in_a_row, two_feeds
from tests.fieldops.outages.towns import Town

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def slow_ring() -> Town:
    """Draw a loop whose two valves at the break take 300 turns each, one at its root ten."""
    return (
        Town()
        .pipe("P1", "AB")
        .pipe("P2", "BC")
        .pipe("P3", "CD")
        .pipe("P5", "Bd")
        .pipe("P6", "dD")
        .valve("VBIG", "P1", 100, turns=10)
        .valve("V1", "P3", 0, turns=300)
        .valve("V2", "P3", 100, turns=300)
        .source("S1", "A")
        .customer("C2", "P2")
        .customer("C3", "P3")
    )


def other_side() -> Town:
    """Draw a street with works at both ends, a closed valve V3 before the second."""
    return (
        Town()
        .pipe("P1", "AB")
        .pipe("P2", "BC")
        .pipe("P3", "CD")
        .pipe("P4", "DE")
        .valve("V1", "P2", 0)
        .valve("V2", "P3", 0)
        .valve("V3", "P4", 0, position="closed")
        .source("S1", "A")
        .source("S2", "E")
        .customer("C2", "P2")
        .customer("C3", "P3")
    )


def test_the_fastest_plan_closes_less_and_takes_more(session: Session) -> None:
    """One valve of ten turns for two of three hundred; later the cut is shrunk."""
    slow_ring().plant(session)
    job = Job(session, "P3", at_m=50, kind="fastest")
    assert job.now.plan.kind == "fastest"
    assert job.now.plan.answer["valves_to_close"] == ["VBIG"]
    assert set(job.rows) == {"C2", "C3"}

    job.close_valve("VBIG", 10)
    assert job.now.outage.water_stopped_at == at(10)
    assert job.dry == {"C2": (10, None), "C3": (10, None)}

    job.must("shrink", 15)
    proposed = job.now.proposed
    assert proposed is not None
    assert proposed.difference is not None
    assert (proposed.difference["valves_added"], proposed.difference["customers_removed"]) == (
        ["V1", "V2"],
        1,
    )
    job.must("approve_plan", 16).close_valve("V1", 50).close_valve("V2", 80)
    job.open_valve("VBIG", 90)
    assert job.dry == {"C2": (10, 90), "C3": (10, None)}


def test_a_larger_cut_is_offered_only_where_it_is_faster(session: Session) -> None:
    """Between valves of twenty turns the nearest ring is as fast as any."""
    slow_ring().plant(session)
    job = Job(session, "P3", at_m=50)
    kinds = [one.wish.kind for one in list_choices(session, job.id, at(1))]
    assert kinds == ["nearest", "fastest"]
    with pytest.raises(ConflictError, match="nearest ring"):
        Job(session, "P1", at_m=50, kind="fewest")


def test_the_fewest_are_dry_where_a_closed_valve_is_opened_first(session: Session) -> None:
    """The valve that was optional has to be closed then."""
    other_side().plant(session)
    job = Job(session, "P2", kind="fewest")

    assert job.states["V3"] == ("refeed", "to_open")
    assert job.states["V2"] == ("close", "to_close")
    assert set(job.rows) == {"C2"}

    job.close_valve("V1", 10)
    assert job.dry == {"C2": (10, None), "C3": (10, None)}
    job.close_valve("V2", 20)
    job.must("restore_part", 25, part="refeed:V3")
    assert job.dry == {"C2": (10, None), "C3": (10, 25)}
    assert job.rows["C3"].cause == "unforeseen"


def test_valves_closed_besides_belong_to_the_plan(session: Session) -> None:
    """Somebody wants the next one shut, too; that takes more customers, and is said before."""
    three_in_a_row().plant(session)
    job = Job(session, "P3").must("extend", 5, valves=["V1"])
    proposed = job.now.proposed
    assert proposed is not None
    assert proposed.difference is not None
    assert (proposed.difference["valves_added"], proposed.difference["customers_added"]) == (
        ["V1"],
        1,
    )
    assert set(job.rows) == {"C3", "C4"}

    job.must("approve_plan", 6, customers=3)
    assert job.states["V1"] == ("close", "to_close")
    assert set(job.rows) == {"C2", "C3", "C4"}
    job.close_valve("V2", 10)
    assert job.now.outage.water_stopped_at is None
    job.close_valve("V1", 12)
    assert job.dry == {"C2": (12, None), "C3": (10, None), "C4": (10, None)}
    assert job.now.plan.status == "executed"


def test_a_plan_is_approved_on_its_own_number_of_customers(session: Session) -> None:
    """Not on that of the plan in force, nor on one that a valve has made untrue meanwhile."""
    three_in_a_row().plant(session)
    job = Job(session, "P3").must("extend", 5, valves=["V1"])
    said = job.do("approve_plan", 6, customers=2)
    assert said.status == "conflict"
    assert said.params == {"seen": 2, "now": 3}

    session.execute(
        text(
            "UPDATE outage_plan SET answer = jsonb_set(answer,"
            " '{customers,connections}', '4') WHERE status = 'proposed'"
        )
    )
    said = job.do("approve_plan", 7, customers=4)
    assert said.status == "illegal"
    assert said.message.startswith("This plan was proposed")
    assert (job.now.outage.plan_number, job.states.get("V1")) == (1, None)


def test_versions_are_kept_with_who_made_and_approved_them(session: Session) -> None:
    """A wish that another follows was never in force."""
    three_in_a_row().plant(session)
    job = Job(session, "P3").must("extend", 5, valves=["V1"]).must("shrink", 6)
    plans = fetch_plans(session, [job.now.key])

    assert [plan.status for plan in plans] == ["approved", "superseded", "proposed"]
    assert [plan.approved_by for plan in plans] == ["王芳", None, None]
    assert job.now.outage.plan_number == 1
    assert job.do("approve_plan", 7, plan=2).status == "illegal"


def test_the_joint_effect_of_two_jobs_is_told(session: Session) -> None:
    """Whose customers, how many, together with which job."""
    two_feeds().plant(session)
    south = Job(session, "S2")
    north = Job(session, "N2", minute=5)
    told = [event.body for _, event in session.info[DRAFTS] if event.kind == "outage.joint_effect"]

    assert [(one["id"], one["customers"], one["with"]) for one in told] == [
        (north.id, 1, [south.id])
    ]


def test_what_may_be_opened_next_is_listed_with_what_it_brings(session: Session) -> None:
    """A valve that would fill the trench is not among it."""
    other_side().plant(session)
    job = Job(session, "P2").close_valve("V1", 10)
    assert [part.id for part in show_outage(session, job.id, at(11)).parts] == []

    job.close_valve("V2", 12)
    parts = show_outage(session, job.id, at(13)).parts
    assert [(part.id, part.connections) for part in parts] == [("refeed:V3", 1), ("valve:V2", 0)]
