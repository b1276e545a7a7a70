"""HTTP answers about who should go where, and the sending itself."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flask import Blueprint, request

from fieldops import access, db
from fieldops.dispatch import service
from fieldops.dispatch.forms import (
    ClosedBody,
    PhoneBody,
    SendBody,
    read_body,
    say_skills,
    write_reasons,
)
from fieldops.errors import ConflictError
from fieldops.events.service import Actor
from fieldops.offers.service import list_open
from fieldops.street_times.service import close_road, list_closed_roads

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from fieldops.dispatch.service import CandidateView, Proposal, Suggestion
    from fieldops.events.service import Outcome

dispatch_api = Blueprint("dispatch_api", __name__, url_prefix="/api/v1")


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _actor() -> Actor:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the route lets nobody else through
    return Actor.of(person)


@dispatch_api.get("/dispatch/suggestions")
@access.allow("dispatcher", "manager", "service_agent")
def show_suggestions() -> ResponseReturnValue:
    """Say who should be sent where now."""
    with db.transaction() as session:
        answer = write_proposal(service.propose(session, _now()))
        return answer | {"closed_roads": [asdict(each) for each in list_closed_roads(session)]}


def write_proposal(proposal: Proposal) -> dict[str, Any]:
    """Write what dispatch has to say as JSON."""
    return {
        "at": proposal.at.isoformat(),
        "position": proposal.position,
        "mode": proposal.mode,
        "suggestions": [write_suggestion(each) for each in proposal.suggestions],
        "queues": proposal.queues,
        "short": proposal.short,
        "blocked": proposal.blocked,
    }


def write_suggestion(suggestion: Suggestion) -> dict[str, Any]:
    """Write a suggestion as JSON; the time of arrival is left to the screen's clock."""
    runner_up = suggestion.runner_up
    return {
        "order": suggestion.order_id,
        "version": suggestion.version,
        "crew": suggestion.crew_id,
        "crew_name": suggestion.crew_name,
        "second_crew": suggestion.second_crew_id,
        "eta_min": round(suggestion.eta_min, 1),
        "is_straight_line": suggestion.is_straight_line,
        "is_emergency": suggestion.is_emergency,
        "divert_from": suggestion.divert_from,
        "diverts": list(suggestion.diverts),
        "runner_up": None
        if runner_up is None
        else {
            "crew": runner_up.crew_id,
            "crew_name": runner_up.crew_name,
            "eta_min": round(runner_up.eta_min, 1),
        },
        "carries": None if suggestion.carries is None else list(suggestion.carries),
        "reasons": write_reasons(suggestion.reasons),
    }


@dispatch_api.get("/orders/<order_id>/candidates")
@access.allow("dispatcher", "manager", "service_agent")
def show_candidates(order_id: str) -> ResponseReturnValue:
    """Show every crew for an order, the best first."""
    with db.transaction() as session:
        candidates = service.why(session, order_id, _now())
    return {"order": order_id, "candidates": [write_candidate(each) for each in candidates]}


def write_candidate(candidate: CandidateView) -> dict[str, Any]:
    """Write a candidate as JSON."""
    return {
        "crew": candidate.crew_id,
        "crew_name": candidate.crew_name,
        "contractor": candidate.contractor,
        "rank": candidate.rank,
        "is_chosen": candidate.is_chosen,
        "can_go": candidate.can_go,
        "travel_min": _round(candidate.travel_min),
        "eta_min": _round(candidate.eta_min),
        "is_straight_line": candidate.is_straight_line,
        "weight": _round(candidate.weight),
        "slack_min": _round(candidate.slack_min),
        "diversion_min": _round(candidate.diversion_min),
        "cost_customer_min": _round(candidate.cost),
        "cost_parts": {name: round(value, 1) for name, value in candidate.parts.items()},
        "place": candidate.place,
        "position_at": candidate.position_at and candidate.position_at.isoformat(),
        "carries": None if candidate.carries is None else list(candidate.carries),
        "against": write_reasons(candidate.against),
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


@dispatch_api.post("/orders/<order_id>/assign")
@access.allow("dispatcher", "manager")
def assign(order_id: str) -> ResponseReturnValue:
    """Send a crew to an order; 409 says who was quicker."""
    body = read_body(SendBody, request.get_json())
    wish = service.Sending(
        order_id=order_id,
        crew_id=body.crew,
        second_crew_id=body.second_crew,
        pin_reason=(body.reason or "").strip() or None,
        base_version=body.version,
        instead_of=body.left_ids,
    )
    with db.transaction() as session:
        outcome = service.send(session, wish, _actor(), _now())
        _raise_refused(outcome)
    return {"order": order_id, "state": outcome.state, "version": outcome.version}


def _raise_refused(outcome: Outcome) -> None:
    if outcome.status.startswith("applied"):
        return
    params = dict(outcome.params)
    if "skills" in params:
        params["skills"] = say_skills(str(params["skills"]).split(", "))
    raise ConflictError(outcome.message, **params)


@dispatch_api.get("/dispatch/offers")
@access.allow("dispatcher", "manager")
def show_offers() -> ResponseReturnValue:
    """Show what crews have not answered yet, and whom to phone."""
    with db.transaction() as session:
        offers = list_open(session)
    return {
        "offers": [
            {
                "id": each.id,
                "order": each.order_id,
                "crew": each.crew_id,
                "crew_name": each.crew_name,
                "phone": each.phone,
                "kind": each.kind,
                "made_at": each.made_at.isoformat(),
                "due_at": each.due_at.isoformat(),
                "is_phone_asked": each.phone_asked_at is not None,
                "phoned_at": each.phoned_at and each.phoned_at.isoformat(),
                "phone_answer": each.phone_answer,
            }
            for each in offers
        ]
    }


@dispatch_api.post("/orders/<order_id>/phone-answer")
@access.allow("dispatcher", "manager")
def answer_by_phone(order_id: str) -> ResponseReturnValue:
    """Record what the crew said on the phone."""
    body = read_body(PhoneBody, request.get_json())
    with db.transaction() as session:
        outcome = service.answer_by_phone(
            session, order_id, body.answer, body.note.strip(), _actor(), _now()
        )
    return {"order": order_id, "state": outcome.state, "version": outcome.version}


@dispatch_api.get("/roads/closed")
@access.allow("dispatcher", "manager", "planner", "service_agent", "crew")
def show_closed_roads() -> ResponseReturnValue:
    """List the closed roads."""
    with db.transaction() as session:
        return {"roads": [asdict(each) for each in list_closed_roads(session)]}


@dispatch_api.post("/roads/<path:road_id>/closed", merge_slashes=False)
@access.allow("dispatcher", "manager")
def close(road_id: str) -> ResponseReturnValue:
    """Record that a road can or cannot be driven."""
    body = read_body(ClosedBody, request.get_json())
    with db.transaction() as session:
        road = close_road(session, road_id, is_closed=body.closed, actor=_actor(), now=_now())
        return asdict(road)
