"""Whose step it is: second crews, earlier turns, calls from elsewhere, and what no crew decides."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import select

import fieldops.order_steps.service as steps
from fieldops.crews.models import CrewMember, CrewRow
from fieldops.errors import ConflictError
from fieldops.events.service import SYSTEM
from fieldops.incidents.service import IncidentDraft, close_incident, find_incident, open_incident
from fieldops.work_orders.service import find_order
from tests.fieldops.work_orders.orders import (
    NOW,
    act,
    lead_to,
    make_actor,
    make_cast,
    make_crew,
    make_order,
)

if TYPE_CHECKING:
    import pytest
    from sqlalchemy.orm import Session

MINUTE = dt.timedelta(minutes=1)


def test_only_who_sends_crews_sends_a_second_one(session: Session) -> None:
    """And takes it away again."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "assigned")
    body = {"second_crew": cast.other_crew_id}
    for actor in (cast.crew, make_actor(session, "service_agent")):
        outcome = act(session, order, "set", actor, body=body)
        assert (outcome.status, outcome.params["fields"]) == ("illegal", "second_crew")
    assert act(session, order, "set", cast.dispatcher, body=body).status == "applied"
    assert find_order(session, order.id).second_crew_id == cast.other_crew_id
    none = {"second_crew": None}
    assert act(session, order, "set", cast.dispatcher, body=none).status == "applied"
    after = find_order(session, order.id)
    assert (after.crew_id, after.second_crew_id) == (cast.crew_id, None)
    other = {"crew": cast.other_crew_id}
    assert act(session, order, "set", cast.dispatcher, body=other).status == "illegal"


def test_a_second_crew_in_conflict_is_not_written(session: Session) -> None:
    """Another dispatcher had sent one meanwhile."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "assigned")
    seen = find_order(session, order.id).version
    third, _ = make_crew(session)
    first = {"second_crew": cast.other_crew_id}
    act(session, order, "set", cast.dispatcher, body=first, base_version=seen)
    for wish in (third, None):
        body = {"second_crew": wish, "address": "中山路"}
        outcome = act(session, order, "set", cast.manager, body=body, base_version=seen)
        assert outcome.status == "applied_with_conflict"
        assert outcome.conflicts["second_crew"] == {"mine": wish, "theirs": cast.other_crew_id}
        assert find_order(session, order.id).second_crew_id == cast.other_crew_id


def test_late_facts_of_second_crews_and_of_people_with_two_roles_are_kept(
    session: Session,
) -> None:
    """Both had the order, and somebody took it from them."""
    cast = make_cast(session)
    second_id, second = make_crew(session)
    planner = make_actor(session, "crew", "planner", name="李雷")
    key = session.scalar(select(CrewRow.key).where(CrewRow.id == cast.crew_id))
    session.add(CrewMember(crew_key=key, person_id=planner.person_id, name="李雷"))
    session.flush()
    order = make_order(session)
    both = {"crew": cast.crew_id, "second_crew": second_id}
    act(session, order, "assign", cast.dispatcher, body=both)
    body = {"crew": cast.other_crew_id, "reason": "更近"}
    act(session, order, "transfer", cast.dispatcher, body=body)
    for actor in (cast.crew, second, planner):
        outcome = act(session, order, "arrive", actor)
        assert (outcome.status, outcome.is_kept_as_fact) == ("illegal", True)
    stranger = make_crew(session)[1]
    assert act(session, order, "arrive", stranger).status == "forbidden"


def test_a_step_of_an_earlier_turn_is_no_step_of_the_next(session: Session) -> None:
    """The same crew had the order before, and accepted it without a network."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "assigned")
    seen = find_order(session, order.id).version
    act(session, order, "withdraw", cast.dispatcher, NOW + 2 * MINUTE)
    body = {"crew": cast.crew_id}
    act(session, order, "assign", cast.dispatcher, NOW + 4 * MINUTE, body=body)
    early, late = NOW + MINUTE, NOW + 5 * MINUTE
    outcome = act(session, order, "accept", cast.crew, late, occurred_at=early, base_version=seen)
    assert (outcome.status, outcome.is_kept_as_fact) == ("illegal", True)
    assert find_order(session, order.id).state == "assigned"
    # A slow clock alone makes no step old: whoever has seen the new turn acts in it.
    seen = find_order(session, order.id).version
    outcome = act(session, order, "accept", cast.crew, late, occurred_at=early, base_version=seen)
    assert outcome.status == "applied"


def test_who_phones_is_of_the_crew_that_has_the_order(session: Session) -> None:
    """A known crew that never had it is refused, one that had it is heard as a fact."""
    cast = make_cast(session)
    order = make_order(session)
    stranger, _ = make_crew(session)
    lead_to(session, order, cast, "assigned")
    body = {"crew": cast.other_crew_id, "reason": "更近"}
    act(session, order, "transfer", cast.dispatcher, body=body)
    for caller, status, is_kept in (
        (stranger, "illegal", False),
        (f"{cast.crew_id} 班", "illegal", True),
        (f"{cast.other_crew_id} (王工)", "applied", False),
    ):
        phone = replace(cast.dispatcher, by_phone_for=caller)
        outcome = act(session, order, "accept", phone)
        assert (outcome.status, outcome.is_kept_as_fact) == (status, is_kept), caller


def test_a_crew_holds_no_order_for_longer_than_the_policy_has_it(session: Session) -> None:
    """Neither at once nor by and by; a dispatcher may."""
    cast = make_cast(session)
    order = make_order(session)
    lead_to(session, order, cast, "working")
    day, two_days = ((NOW + dt.timedelta(days=days)).isoformat() for days in (1, 2))
    longer = {"reason": "等材料", "resume_by": two_days}
    outcome = act(session, order, "hold", cast.crew, body=longer)
    assert (outcome.status, outcome.params["hours"]) == ("illegal", 24)
    body = {"reason": "等材料", "resume_by": day}
    assert act(session, order, "hold", cast.crew, body=body).status == "applied"
    extended = {"resume_by": two_days}
    assert act(session, order, "set", cast.crew, body=extended).status == "illegal"
    assert act(session, order, "set", cast.dispatcher, body=extended).status == "applied"
    act(session, order, "resume", cast.crew)
    assert act(session, order, "hold", cast.dispatcher, body=longer).status == "applied"


def test_nobody_has_seen_a_version_that_is_still_to_come(session: Session) -> None:
    """A merge against it would overwrite anything."""
    cast = make_cast(session)
    order = make_order(session)
    body = {"address": "中山路"}
    outcome = act(session, order, "set", cast.dispatcher, body=body, base_version=99)
    assert (outcome.status, outcome.params["seen"]) == ("illegal", 99)
    assert find_order(session, order.id).version == order.version


def test_an_incident_is_open_again_with_its_order(session: Session) -> None:
    """However often."""
    cast = make_cast(session)
    draft = IncidentDraft(kind="burst", lon=118.8, lat=32.0)
    incident = open_incident(session, draft, SYSTEM, NOW)
    order = make_order(session, incident_key=incident.key)
    lead_to(session, order, cast, "closed")
    close_incident(session, incident.id, SYSTEM, NOW)
    assert act(session, order, "reopen", cast.dispatcher).status == "applied"
    assert find_incident(session, incident.id).is_open


def test_an_order_stays_closed_where_its_incident_has_to(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another incident is open in the segment, and the reason says so."""

    def refuse(*_: object) -> None:
        raise ConflictError("%(incident)s is open already.", incident="I-404")

    monkeypatch.setattr(steps, "reopen_incident", refuse)
    cast = make_cast(session)
    incident = open_incident(session, IncidentDraft(kind="burst", lon=118.8, lat=32.0), SYSTEM, NOW)
    order = make_order(session, incident_key=incident.key)
    lead_to(session, order, cast, "cancelled")
    close_incident(session, incident.id, SYSTEM, NOW)
    outcome = act(session, order, "reopen", cast.dispatcher)
    assert (outcome.status, outcome.params["incident"]) == ("illegal", "I-404")
    assert find_order(session, order.id).state == "cancelled"
