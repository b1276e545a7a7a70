"""HTTP answers about reports."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.crews.forms import read_body
from fieldops.events.service import Actor
from fieldops.incidents.forms import incident_as_json
from fieldops.photos.api import check_sha256
from fieldops.reports import service
from fieldops.reports.forms import (
    CallBackBody,
    LinkBody,
    OpenBody,
    PlaceQuery,
    candidate_as_json,
    read_report,
    receipt_as_json,
    registered_as_json,
    report_as_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.typing import ResponseReturnValue
    from sqlalchemy.orm import Session

    from fieldops.access import Person
    from fieldops.report_records.queries import Report

reports_api = Blueprint("reports_api", __name__, url_prefix="/api/v1/reports")
seen_api = Blueprint("seen_api", __name__, url_prefix="/api/v1")

DESK = ("dispatcher", "service_agent", "manager")
LISTS = {
    "open": service.list_waiting,
    "callback_due": service.list_due,
    "latest": service.list_latest,
}


def _person() -> Person:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the routes let nobody else through
    return person


def _actor() -> Actor:
    return Actor.of(_person())


@seen_api.get("/incidents")
@access.allow(*STAFF)
def list_incidents() -> ResponseReturnValue:
    """List what is under way, the heaviest first; a contractor's crew sees its own jobs."""
    with db.transaction() as session:
        found = service.list_visible_incidents(session, _person())
    return {"incidents": [incident_as_json(one) for one in found]}


@seen_api.get("/incidents/<incident_id>")
@access.allow(*STAFF)
def show_incident(incident_id: str) -> ResponseReturnValue:
    """Tell all about an incident."""
    with db.transaction() as session:
        return incident_as_json(service.find_visible_incident(session, incident_id, _person()))


@seen_api.get("/photos/<sha256>")
@access.allow(*STAFF)
def show_photo(sha256: str) -> ResponseReturnValue:
    """Give the picture without what the camera wrote beside it."""
    with db.transaction() as session:
        data = service.read_visible_photo(session, check_sha256(sha256), _person())
    headers = {
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return Response(data, mimetype="image/jpeg", headers=headers)


@reports_api.post("")
@access.allow(*STAFF)
def register() -> ResponseReturnValue:
    """Take a report in; one of a client's number that came before is told again."""
    body = request.get_json()
    actor = _actor()
    given = body.get("channel") if isinstance(body, dict) else None
    channel = str(given) if given in {"phone", "crew"} else "api"
    draft = read_report(body, channel)
    with db.transaction() as session:
        answer = service.register_report(session, draft, actor, dt.datetime.now(dt.UTC))
        is_outside = service.find_own_crews(session, _person()) is not None
    told = receipt_as_json(answer) if is_outside else registered_as_json(answer)
    return told, 200 if answer.is_repeated else 201


@reports_api.get("")
@access.allow(*DESK)
def list_reports() -> ResponseReturnValue:
    """List what nobody has linked, whom to call back, or what came last."""
    which = LISTS.get(request.args.get("list", "latest"), service.list_latest)
    with db.transaction() as session:
        return {"reports": [report_as_json(one) for one in which(session)]}


@reports_api.get("/at")
@access.allow(*STAFF)
def show_place() -> ResponseReturnValue:
    """Tell what is known of a place before anything is registered."""
    asked = read_body(PlaceQuery, request.args.to_dict())
    with db.transaction() as session:
        known = service.ask_about_place(
            session, service.ReportDraft(**asked.model_dump()), dt.datetime.now(dt.UTC)
        )
        is_outside = service.find_own_crews(session, _person()) is not None
    place = known.place
    told = {
        "place": None
        if place is None
        else {
            "lon": place.lon,
            "lat": place.lat,
            "pipe": place.pipe,
            "pipe_distance_m": place.pipe_distance_m,
            "is_in_segment": place.part_key is not None,
        },
        "address": known.address,
    }
    if is_outside:
        # What others told and what is under way elsewhere is none of a contractor's business.
        unsaid = {"links_to": None, "outage": None, "promise": None, "is_reopened": None}
        return told | unsaid | {"is_kept_back": True, "candidates": [], "earlier": []}
    return told | {
        "is_kept_back": False,
        "candidates": [candidate_as_json(one) for one in known.candidates],
        "links_to": None if known.links_to is None else incident_as_json(known.links_to),
        "outage": None if known.outage is None else known.outage.id,
        "promise": None if known.promise is None else service.promise_as_json(known.promise),
        "is_reopened": known.reopening is not None,
        "earlier": [
            {"id": one.id, "kind": one.kind, "status": one.status, "address": one.address}
            for one in known.earlier
            if _actor().roles & set(DESK)
        ],
    }


@reports_api.get("/<report_id>")
@access.allow(*DESK)
def show_report(report_id: str) -> ResponseReturnValue:
    """Tell all about a report, and what it may be the same as."""
    with db.transaction() as session:
        answer = service.describe_report(session, report_id, dt.datetime.now(dt.UTC))
    return registered_as_json(answer)


@reports_api.post("/<report_id>/incident")
@access.allow(*DESK)
def open_incident(report_id: str) -> ResponseReturnValue:
    """Open the report's incident with its first orders, or link it to the one there is."""
    body = read_body(OpenBody, request.get_json(silent=True) or {})
    with db.transaction() as session:
        opening = service.open_incident_for(
            session, report_id, _actor(), dt.datetime.now(dt.UTC), is_separate=body.is_separate
        )
    told = {
        "incident": incident_as_json(opening.incident),
        "is_new": opening.is_new,
        "report": report_as_json(opening.report),
        "orders": [{"id": order.id, "kind": order.kind} for order in opening.orders],
    }
    return told, 201 if opening.is_new else 200


@reports_api.post("/<report_id>/flush")
@access.allow(*DESK)
def open_flushing(report_id: str) -> ResponseReturnValue:
    """Open the flushing that discoloured water after a reopening asks for."""
    with db.transaction() as session:
        order, is_new = service.open_flushing(session, report_id, _actor(), dt.datetime.now(dt.UTC))
    return {"order": order.id, "is_new": is_new}, 201 if is_new else 200


@reports_api.post("/<report_id>/link")
@access.allow(*DESK)
def link(report_id: str) -> ResponseReturnValue:
    """Link a report to an incident."""
    incident = read_body(LinkBody, request.get_json()).incident
    return _act(
        lambda session, actor, now: service.link_report(session, report_id, incident, actor, now)
    )


@reports_api.post("/<report_id>/part")
@access.allow(*DESK)
def part(report_id: str) -> ResponseReturnValue:
    """Undo a link."""
    return _act(lambda session, actor, now: service.part_report(session, report_id, actor, now))


@reports_api.post("/<report_id>/place")
@access.allow(*DESK)
def place(report_id: str) -> ResponseReturnValue:
    """Say where a report comes from."""
    where = service.ReportDraft(**read_body(PlaceQuery, request.get_json()).model_dump())
    return _act(
        lambda session, actor, now: service.place_report(session, report_id, where, actor, now)
    )


@reports_api.post("/<report_id>/take")
@access.allow(*DESK)
def take(report_id: str) -> ResponseReturnValue:
    """Become the first contact of a report that has none."""
    return _act(lambda session, actor, now: service.take_report(session, report_id, actor, now))


@reports_api.post("/<report_id>/answer")
@access.allow(*DESK)
def answer(report_id: str) -> ResponseReturnValue:
    """End an enquiry."""
    return _act(lambda session, actor, now: service.answer_report(session, report_id, actor, now))


@reports_api.post("/<report_id>/call-back")
@access.allow(*DESK)
def call_back(report_id: str) -> ResponseReturnValue:
    """Record a try to call back."""
    draft = read_body(CallBackBody, request.get_json()).draft()
    return _act(
        lambda session, actor, now: service.record_call_back(session, report_id, draft, actor, now)
    )


def _act(do: Callable[[Session, Actor, dt.datetime], Report]) -> dict[str, Any]:
    with db.transaction() as session:
        return report_as_json(do(session, _actor(), dt.datetime.now(dt.UTC)))
