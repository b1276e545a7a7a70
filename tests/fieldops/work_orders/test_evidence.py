"""What an order is closed on: told for this work, by its own steps, and not to be talked away."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from fieldops.events.service import SYSTEM, Actor
from fieldops.work_orders.service import find_order
from tests.fieldops.work_orders.orders import (
    BODIES,
    NOW,
    act,
    lead_to,
    make_actor,
    make_cast,
    make_crew,
    make_order,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

HOUR = dt.timedelta(hours=1)
LATER_PERMIT = {
    "owners_asked": ["gas", "power", "telecom"],
    "permit_later_reason": "夜间爆管",
    "permit_due_at": (NOW + 24 * HOUR).isoformat(),
}


def test_work_that_is_done_again_needs_evidence_again(session: Session) -> None:
    """A reopened order keeps what is known of the place, and no photo of the first time."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "working")
    act(session, order, "set", cast.crew, body={"depth_m": 1.4})
    act(session, order, "dig", cast.crew)
    for action in ("finish", "restore"):
        act(session, order, action, cast.crew)
    for action in ("verify", "close", "reopen"):
        assert act(session, order, action, cast.dispatcher).status == "applied"
    kept = {"depth_m", "assigned_by", "safety_briefing"}
    assert find_order(session, order.id).data.keys() == kept
    body = {"crew": cast.crew_id}
    assert act(session, order, "assign", cast.dispatcher, body=body).status == "applied"
    for action in ("accept", "depart", "arrive", "start"):
        act(session, order, action, cast.crew)
    lacking = act(session, order, "finish", cast.crew, body={}).missing
    assert {"cause", "photo_after", "owners_asked", "road_permit"} <= set(lacking)


def test_what_is_sent_back_is_restored_anew(session: Session) -> None:
    """The water was measured before the work that follows."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "verified")
    act(session, order, "send_back", cast.dispatcher)
    after = find_order(session, order.id)
    assert "chlorine_mg_l" not in after.data
    assert after.data["cause"] == "corrosion"
    assert "flushed" in act(session, order, "restore", cast.crew, body={}).missing


def test_a_note_is_no_way_around_a_correction(session: Session) -> None:
    """Neither are other steps; what a crew knows better may come with its own."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "closed")
    planner = make_actor(session, "planner")
    before = find_order(session, order.id)
    for body in ({"severity": "danger"}, {"cause": "frost"}, {"photo_after": "00" * 32}):
        outcome = act(session, order, "note", planner, body={"text": "路窄", **body})
        assert (outcome.status, outcome.params["fields"]) == ("illegal", *body)
    assert find_order(session, order.id) == before
    other = make_order(session)
    assert act(session, other, "triage", SYSTEM, body={"severity": "danger"}).status == "applied"
    lead = {"crew": cast.crew_id}
    act(session, other, "assign", cast.dispatcher, body=lead)
    forged = act(session, other, "accept", cast.crew, body={"assigned_by": "不是我"})
    assert (forged.status, forged.params["fields"]) == ("illegal", "assigned_by")
    longer = {"expected_work_min": 90}
    assert act(session, other, "accept", cast.crew, body=longer).status == "applied"
    assert find_order(session, other.id).expected_work_min == 90
    for actor in (cast.crew, cast.manager):
        outcome = act(session, other, "set", actor, body={"assigned_by": "不是我"})
        assert outcome.status == "illegal"


def test_nobody_talks_an_excavation_away(session: Session) -> None:
    """Not with the step that needs its papers, and not before closing."""
    cast = make_cast(session)
    order = make_order(session, needs_excavation=True)
    lead_to(session, order, cast, "working")
    body: dict[str, Any] = {**BODIES["finish"], "needs_excavation": False}
    outcome = act(session, order, "finish", cast.crew, body=body)
    assert outcome.missing == ("owners_asked", "road_permit")
    past = {**LATER_PERMIT, "permit_due_at": (NOW - HOUR).isoformat()}
    assert act(session, order, "dig", cast.crew, body=past).missing == ("permit_due_at",)
    assert act(session, order, "dig", cast.crew, body=LATER_PERMIT).status == "applied"
    for wrong in ({"needs_excavation": False}, {"permit_later_reason": " "}):
        outcome = act(session, order, "set", cast.crew, body=wrong)
        assert (outcome.status, outcome.params["fields"]) == ("illegal", *wrong)
    for action in ("finish", "restore"):
        assert act(session, order, action, cast.crew).status == "applied"
    act(session, order, "verify", cast.dispatcher)
    assert act(session, order, "close", cast.dispatcher).missing == ("road_permit",)


def test_whoever_digs_has_dug(session: Session) -> None:
    """Also where the order did not say so."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "working")
    assert act(session, order, "dig", cast.crew).status == "applied"
    assert find_order(session, order.id).needs_excavation


def test_water_comes_back_after_the_report_and_not_tomorrow(session: Session) -> None:
    """By the clock of the tablet, where that is known to be ahead."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "work_done")
    for moment in (NOW - HOUR, NOW + HOUR):
        body: dict[str, Any] = {**BODIES["restore"], "supply_back_at": moment.isoformat()}
        outcome = act(session, order, "restore", cast.crew, body=body)
        assert outcome.missing == ("supply_back_at",)
    outcome = act(session, order, "restore", cast.crew, body=body, skew_s=3600.0)
    assert outcome.status == "applied"


def test_an_order_is_closed_when_its_photos_are_here(session: Session) -> None:
    """The data come first, the photos after; those that never came are listed."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "working")
    lost: dict[str, Any] = {**BODIES["finish"], "photo_before_backfill": "ab" * 32}
    assert act(session, order, "finish", cast.crew, body=lost).status == "applied"
    act(session, order, "restore", cast.crew)
    act(session, order, "verify", cast.dispatcher)
    assert act(session, order, "close", cast.dispatcher).missing == ("photo_before_backfill",)
    kept = {"photo_before_backfill": BODIES["finish"]["photo_after"]}
    act(session, order, "set", cast.dispatcher, body=kept)
    assert act(session, order, "close", cast.dispatcher).status == "applied"


def test_nobody_verifies_what_the_own_crew_once_had(session: Session) -> None:
    """Neither the first crew nor the second that was there before it went to another."""
    cast = make_cast(session)
    second_id, second = make_crew(session)
    order = make_order(session)
    both = {"crew": cast.crew_id, "second_crew": second_id}
    act(session, order, "assign", cast.dispatcher, body=both)
    body = {"crew": cast.other_crew_id, "reason": "更近"}
    act(session, order, "transfer", cast.dispatcher, body=body)
    for action in ("accept", "depart", "arrive", "start", "finish", "restore"):
        assert act(session, order, action, cast.other_crew).status == "applied"
    for member in (cast.crew, cast.other_crew, second):
        roles = frozenset({"crew", "dispatcher"})
        actor = Actor(name="王芳", person_id=member.person_id, roles=roles)
        assert act(session, order, "verify", actor).status == "forbidden"
    assert act(session, order, "verify", cast.dispatcher).status == "applied"


def test_what_was_played_is_over_with_its_drill(session: Session) -> None:
    """However far it had come; and only then, and by nobody's hand."""
    cast = make_cast(session)
    drill, real = make_order(session, is_drill=True), make_order(session)
    lead_to(session, real, cast, "work_done")
    assert act(session, real, "cancel", SYSTEM).status == "illegal"
    lead_to(session, drill, cast, "work_done")
    for action in ("restore", "verify", None):
        with session.begin_nested() as tried:
            assert act(session, drill, "cancel", cast.dispatcher).status == "forbidden"
            assert act(session, drill, "cancel", SYSTEM).state == "cancelled"
            tried.rollback()
        if action is not None:
            assert act(session, drill, action, SYSTEM).status == "applied"
