"""Reports: taken in, compared with what is known, linked, and answered to the one who told."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from fieldops.access import Role
from fieldops.crews.service import crews_of_person
from fieldops.duplicates import queries as near_queries
from fieldops.duplicates.service import (
    Candidate,
    Spot,
    Told,
    belongs,
    choose_link,
    find_outage,
    find_reopening,
    find_spot,
    list_near,
    place_of,
    place_values,
    promise_as_json,
    rank,
)
from fieldops.errors import ConflictError, FieldopsError, ForbiddenError
from fieldops.events.queries import fetch_events_of
from fieldops.events.service import SYSTEM, Outcome
from fieldops.incidents import service as incidents
from fieldops.incidents.queries import read_policy
from fieldops.incidents.service import (
    ESCAPES,
    KINDS,
    QUALITY,
    SUPPLY,
    IncidentDraft,
    IncidentEffect,
)
from fieldops.live_outages import service as live_outages
from fieldops.live_supply.queries import fetch_of_incident
from fieldops.outages.service import Question, preview_outage
from fieldops.photos import service as photos
from fieldops.report_records import queries
from fieldops.report_records.service import (
    CHANNELS,
    CONTACTS,
    CallBackDraft,
    ReportDraft,
    answer_report,
    change_report,
    change_row,
    find_report,
    is_quiet,
    link_report,
    list_call_backs,
    list_due,
    list_earlier,
    list_latest,
    list_of_incidents,
    list_waiting,
    lock_report,
    part_report,
    record_call_back,
    take_report,
    tell_report,
)
from fieldops.reports import queries as seen_queries
from fieldops.work_orders.service import Filter, OrderDraft, list_orders, open_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy.orm import Session

    from fieldops.access import Person
    from fieldops.duplicates.queries import Near, Reopening
    from fieldops.events.service import Actor, Event, Operation
    from fieldops.incidents.service import Incident, Place
    from fieldops.live_outages.service import LiveOutage, Outage, Promise
    from fieldops.report_records.queries import CallBack, Report
    from fieldops.work_orders.service import WorkOrder

__all__ = [
    "CallBackDraft",
    "Candidate",
    "Opening",
    "Registered",
    "ReportDraft",
    "answer_report",
    "apply_operation",
    "change_report",
    "describe_report",
    "find_report",
    "is_quiet",
    "link_report",
    "list_call_backs",
    "list_due",
    "list_earlier",
    "list_latest",
    "list_of_incidents",
    "list_waiting",
    "open_incident_for",
    "part_report",
    "promise_as_json",
    "record_call_back",
    "register_report",
    "take_report",
]

DESK = frozenset({"dispatcher", "service_agent", "manager", "system"})
MOST_PHOTOS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A report as it was taken in, and all that whoever took it in has to know at once."""

    report: Report
    candidates: list[Candidate]
    linked_incident: Incident | None = None
    outage: LiveOutage | None = None
    promise: Promise | None = None
    reopening: Reopening | None = None
    """Discoloured water comes from this reopening: flushing is proposed."""
    is_repeated: bool = False


def with_photos(draft: ReportDraft, photo_sha256: Sequence[str]) -> ReportDraft:
    """Give the draft with these photos besides."""
    return replace(draft, photo_sha256=(*draft.photo_sha256, *photo_sha256))


def register_report(
    session: Session,
    draft: ReportDraft,
    actor: Actor,
    now: dt.datetime,
    *,
    operation: Operation | None = None,
) -> Registered:
    """
    Take a report in, link it by itself where it lies in a live incident's zone, and tell the rest.

    Raises
    ------
    FieldopsError
        If the kind is not known, or a photo has not come.
    NotFoundError
        If there is no such pipe or customer.
    """
    # A device sends what happened first, and photos when the line is free.
    _check_draft(session, draft, may_photos_follow=operation is not None)
    if draft.client_id is not None:
        queries.lock_client(session, draft.client_id)
        there = queries.fetch_by_client_id(session, draft.client_id)
        if there is not None:
            return _registered_before(session, there, now)
    near_queries.join_intake(session)
    policy = read_policy(session)
    spot = find_spot(session, draft, policy)
    if spot.place is not None:
        incidents.lock_zone(session, spot.place)
    around = _look_around(session, draft.kind, spot, policy, now, is_drill=draft.is_drill)
    values = _values(draft, spot, actor, now)
    report = queries.insert_report(
        session, values | around.told() | around.linked(str(values["status"]))
    )
    tell_report(session, "report.registered", report, actor, now, operation=operation)
    linked = around.incident
    return Registered(
        report=report,
        candidates=[] if linked else rank(around.near, Told.of(report), policy, now),
        linked_incident=linked,
        outage=around.outage,
        promise=around.promise,
        reopening=around.reopening,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """What is known at a spot, and the incident to which a report from there is linked."""

    near: list[Near]
    outage: LiveOutage | None
    promise: Promise | None
    reopening: Reopening | None
    incident: Incident | None
    link_kind: str | None

    def told(self) -> dict[str, Any]:
        """Give the columns that keep what the caller was told."""
        if self.outage is None or self.promise is None:
            return {}
        promise = promise_as_json(self.promise) | {"outage": self.outage.id}
        return {"outage_key": self.outage.key, "promise": promise}

    def linked(self, status: str) -> dict[str, Any]:
        """Link; what came of an incident that is over waits for a person, and is not under way."""
        if self.incident is None:
            return {}
        is_under_way = status == "open" and self.incident.is_open
        return {
            "incident_key": self.incident.key,
            "link_kind": self.link_kind,
            "status": "linked" if is_under_way else status,
        }


def _look_around(
    session: Session,
    kind: str,
    spot: Spot,
    policy: Mapping[str, float],
    now: dt.datetime,
    *,
    is_drill: bool = False,
    parted_from: Sequence[int] = (),
) -> _Around:
    near = list_near(session, spot.place, now, policy, is_drill=is_drill)
    # Outages of a drill are of its own, and what is real is nothing to a drill.
    outage = None if is_drill else find_outage(session, spot, now)
    reopening = None if is_drill else find_reopening(session, kind, spot, policy, now)
    link = choose_link(session, kind, near, outage, reopening)
    if link is not None and link[0] in parted_from:
        link = None
    return _Around(
        near=near,
        outage=outage,
        promise=None if outage is None else live_outages.promise(session, outage.outage, now),
        reopening=reopening,
        incident=None if link is None else incidents.find_by_keys(session, [link[0]])[link[0]],
        link_kind=None if link is None else link[1],
    )


def _check_draft(session: Session, draft: ReportDraft, *, may_photos_follow: bool) -> None:
    if draft.kind not in KINDS:
        raise FieldopsError("There is no kind of report %(kind)s.", kind=draft.kind)
    if draft.channel not in CHANNELS or draft.contact not in CONTACTS:
        raise FieldopsError("There is no such channel or kind of contact.")
    if draft.is_answered and draft.contact not in {"enquiry", "suggestion", "praise"}:
        raise FieldopsError("Only an enquiry is over when it was answered on the spot.")
    if len(draft.photo_sha256) > MOST_PHOTOS:
        raise FieldopsError("Send at most %(most)s photos.", most=MOST_PHOTOS)
    if any(not re.fullmatch(r"[0-9a-f]{64}", sha256) for sha256 in draft.photo_sha256):
        raise FieldopsError("A photo is named by its SHA-256, in 64 small hexadecimal digits.")
    if may_photos_follow:
        return
    if draft.photo_sha256 and photos.list_missing(session, list(draft.photo_sha256)):
        raise FieldopsError("A photo has not come yet: send it first.")


def _registered_before(session: Session, report: Report, now: dt.datetime) -> Registered:
    answer = describe_report(session, report.id, now)
    return Registered(
        report=answer.report,
        candidates=answer.candidates,
        linked_incident=answer.linked_incident,
        outage=answer.outage,
        promise=answer.promise,
        is_repeated=True,
    )


def _values(draft: ReportDraft, spot: Spot, actor: Actor, now: dt.datetime) -> dict[str, Any]:
    is_taken = actor.person_id is not None and draft.channel in {"phone", "crew"}
    return {
        "kind": draft.kind,
        "contact": draft.contact,
        "channel": draft.channel,
        "words": draft.words.strip(),
        "danger": draft.danger,
        "is_drill": draft.is_drill,
        "name": (draft.name or "").strip() or None,
        "phone": (draft.phone or "").strip() or None,
        "address": spot.address,
        **place_values(spot),
        "first_contact_id": actor.person_id if is_taken else None,
        "first_contact_by": (actor.by_phone_for or actor.name) if is_taken else None,
        "received_at": now,
        "photo_sha256": list(draft.photo_sha256),
        "client_id": draft.client_id,
        "token": draft.token,
        "status": "answered" if draft.is_answered else "open",
        "ended_at": now if draft.is_answered else None,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a place before anybody tells of it."""

    place: Place | None
    address: str | None
    candidates: list[Candidate]
    links_to: Incident | None
    outage: LiveOutage | None
    promise: Promise | None
    reopening: Reopening | None
    earlier: list[Report]


def ask_about_place(session: Session, draft: ReportDraft, now: dt.datetime) -> Known:
    """
    Tell what is known of a place, so that a caller hears it while still speaking.

    Raises
    ------
    NotFoundError
        If there is no such pipe or customer.
    """
    policy = read_policy(session)
    spot = find_spot(session, draft, policy)
    around = _look_around(session, draft.kind, spot, policy, now)
    linked = around.incident
    return Known(
        place=spot.place,
        address=spot.address,
        candidates=[] if linked else rank(around.near, Told(kind=draft.kind), policy, now),
        links_to=linked,
        outage=around.outage,
        promise=around.promise,
        reopening=around.reopening,
        earlier=list_earlier(session, draft.phone) if draft.phone else [],
    )


def describe_report(session: Session, report_id: str, now: dt.datetime) -> Registered:
    """
    Give a report as whoever works on it has to see it.

    Raises
    ------
    NotFoundError
        If there is none of this id.
    """
    report = find_report(session, report_id)
    policy = read_policy(session)
    place = place_of(session, report, policy)
    spot = Spot(place=place, address=report.address, customer_key=report.customer_key)
    near = []
    if report.incident_key is None:
        near = list_near(session, place, now, policy, is_drill=report.is_drill)
    outage = find_outage(session, spot, now)
    linked = None
    if report.incident_key is not None:
        linked = incidents.find_by_keys(session, [report.incident_key])[report.incident_key]
    return Registered(
        report=report,
        candidates=rank(near, Told.of(report), policy, now),
        linked_incident=linked,
        outage=outage,
        promise=None if outage is None else live_outages.promise(session, outage.outage, now),
        reopening=find_reopening(session, report.kind, spot, policy, now),
    )


def place_report(
    session: Session, report_id: str, where: ReportDraft, actor: Actor, now: dt.datetime
) -> Report:
    """
    Say where a report comes from; it is linked by itself if that is in a live incident's zone.

    Raises
    ------
    ConflictError
        If it is linked or over already.
    FieldopsError
        If nothing says where.
    """
    policy = read_policy(session)
    near_queries.join_intake(session)
    spot = find_spot(session, where, policy)
    if spot.place is None:
        raise FieldopsError("Say where it is: a place on the map, or a pipe.")
    incidents.lock_zone(session, spot.place)
    report = lock_report(session, report_id)
    if report.incident_key is not None or report.status != "open":
        raise ConflictError("%(report)s is linked or over: its place stays.", report=report.id)
    around = _look_around(
        session,
        report.kind,
        spot,
        policy,
        now,
        is_drill=report.is_drill,
        parted_from=report.parted_from,
    )
    values = place_values(spot) | {"address": report.address or spot.address}
    after = change_row(
        session, report, values | around.told() | around.linked(report.status), actor
    )
    tell_report(session, "report.placed", after, actor, now)
    return after


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The incident of a report, and the orders that it begins with; none where it was there."""

    incident: Incident
    is_new: bool
    report: Report
    orders: list[WorkOrder]


def open_incident_for(
    session: Session,
    report_id: str,
    actor: Actor,
    now: dt.datetime,
    *,
    is_separate: bool = False,
) -> Opening:
    """
    Open the incident that a report is of, see whom it leaves dry, and open its first orders.

    Where an open incident holds the segment the report is linked to that one instead.

    Raises
    ------
    ConflictError
        If the report is linked already, or over.
    FieldopsError
        If nobody knows where it is.
    """
    place = place_of(session, find_report(session, report_id), read_policy(session))
    if place is not None:
        incidents.lock_zone(session, place)
    report = lock_report(session, report_id)
    if report.incident is not None and report.link_kind == "zone" and not is_separate:
        # Somebody else opened it while this person was still reading.
        incident = incidents.find_incident(session, report.incident)
        return Opening(incident=incident, is_new=False, report=report, orders=[])
    if report.incident_key is not None:
        raise ConflictError(
            "%(report)s is linked to %(incident)s already: part it first.",
            report=report.id,
            incident=report.incident,
        )
    if report.status != "open":
        raise ConflictError("%(report)s is over.", report=report.id)
    draft = IncidentDraft(
        kind=report.kind,
        lon=report.lon,
        lat=report.lat,
        address=report.address,
        pipe_key=report.pipe_key,
        at_m=report.at_m,
        danger=report.danger,
        is_drill=report.is_drill,
        is_separate=is_separate,
    )
    incident, is_new = incidents.open_or_find_incident(session, draft, actor, now)
    kind = "opened" if is_new else "chosen"
    if is_new:
        # Opened, it may have drawn this report to itself by its segment.
        report = find_report(session, report.id)
    if report.incident_key is None:
        report = link_report(session, report.id, incident.id, actor, now, kind)
    elif report.incident_key == incident.key:
        report = change_row(session, report, {"link_kind": kind, "linked_by": actor.name}, actor)
    orders: list[WorkOrder] = []
    if is_new:
        incident = _record_expected_effect(session, incident, now)
        orders = _open_stages(session, incident, report, actor, now)
    return Opening(incident=incident, is_new=is_new, report=report, orders=orders)


def _record_expected_effect(session: Session, incident: Incident, now: dt.datetime) -> Incident:
    """See who would be dry if the valves around it were closed."""
    if incident.pipe is None or incident.kind not in ESCAPES:
        return incident
    effect = preview_outage(session, Question(pipes=[(incident.pipe, incident.at_m)]), now).effect
    lost = effect.customers
    return incidents.record_effect(
        session,
        incident.id,
        IncidentEffect(
            properties_out=lost.properties,
            people_out=lost.people,
            critical_ids=lost.critical,
            hydrants_dry=len(effect.hydrants_dry),
        ),
        now,
    )


def _open_stages(
    session: Session, incident: Incident, report: Report, actor: Actor, now: dt.datetime
) -> list[WorkOrder]:
    """Open the orders of an incident's kind, each to be begun after the one before."""
    orders: list[WorkOrder] = []
    for stage in incidents.list_stages(session, incident):
        is_grave = incident.danger and not orders
        draft = OrderDraft(
            kind=stage.order_kind,
            severity="danger" if is_grave else stage.severity,
            lon=incident.lon,
            lat=incident.lat,
            incident_key=incident.key,
            task=report.words or None,
            address=incident.address,
            pipe_key=incident.pipe_key,
            at_m=incident.at_m,
            diameter_mm=incident.diameter_mm,
            crews_needed=stage.crews_needed,
            skills=stage.skills,
            needs_excavation=stage.needs_excavation,
            customers_out=incident.properties_out,
            critical_out=incident.critical_out,
            expected_work_min=stage.expected_work_min,
            after_order_key=orders[-1].key if orders else None,
            reported_at=report.received_at,
            is_triaged=True,
            is_drill=incident.is_drill,
        )
        orders.append(open_order(session, draft, actor, now))
    return orders


def open_flushing(
    session: Session, report_id: str, actor: Actor, now: dt.datetime
) -> tuple[WorkOrder, bool]:
    """
    Open the flushing that discoloured water after a reopening asks for, or give the open one.

    Raises
    ------
    ConflictError
        If nothing was reopened where the report is, or nobody knows where that is.
    """
    answer = describe_report(session, report_id, now)
    report, reopening = answer.report, answer.reopening
    if reopening is None or report.lon is None or report.lat is None:
        raise ConflictError("Nothing was reopened here so short a time ago.")
    if reopening.incident_key is not None:
        wanted = Filter(kinds=("flush",), incident_id=reopening.incident, limit=1)
        there = list_orders(session, wanted)
        if there:
            return there[0], False
    draft = OrderDraft(
        kind="flush",
        severity="routine",
        lon=report.lon,
        lat=report.lat,
        incident_key=reopening.incident_key,
        outage_key=reopening.outage_key,
        task=report.words or None,
        address=report.address,
        pipe_key=report.pipe_key,
        at_m=report.at_m,
        reported_at=report.received_at,
        is_triaged=True,
        is_drill=report.is_drill,
    )
    return open_order(session, draft, actor, now), True


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFile:
    """An incident with all that is linked to it, and what happened, in order."""

    incident: Incident
    reports: list[Report]
    call_backs: dict[int, list[CallBack]]
    orders: list[WorkOrder]
    outages: list[Outage]
    history: list[Event]


def open_file(session: Session, incident_id: str) -> IncidentFile:
    """
    Give an incident with its reports, orders, outages and history.

    Raises
    ------
    NotFoundError
        If there is none of this id.
    """
    incident = incidents.find_incident(session, incident_id)
    reports = list_of_incidents(session, [incident.key])
    orders = list_orders(session, Filter(is_open=None, incident_id=incident.id))
    outages = fetch_of_incident(session, incident.key)
    subjects = {
        "incident": [incident.key],
        "report": [one.key for one in reports],
        "work_order": [one.key for one in orders],
        "outage": [one.key for one in outages],
    }
    history = [
        event
        for kind, keys in subjects.items()
        if keys
        for event in fetch_events_of(session, kind, keys)
    ]
    return IncidentFile(
        incident=incident,
        reports=reports,
        call_backs=list_call_backs(session, reports),
        orders=orders,
        outages=outages,
        history=sorted(history, key=lambda event: event.position or 0),
    )


def find_own_crews(session: Session, person: Person) -> list[int] | None:
    """Give the keys of the crews whose jobs alone somebody may see; None where it is everything."""
    if person.roles != frozenset({Role.CREW}):
        return None
    crews = crews_of_person(session, person.id)
    if any(crew.contractor is None for crew in crews):
        return None
    return [crew.key for crew in crews]


def list_visible_incidents(session: Session, person: Person) -> list[Incident]:
    """Give the open incidents that somebody may see: a contractor's crew those of its orders."""
    found, crews = incidents.list_open(session), find_own_crews(session, person)
    if crews is None:
        return found
    own = seen_queries.fetch_incidents_of_crews(session, crews)
    return [one for one in found if one.key in own]


def find_visible_incident(session: Session, incident_id: str, person: Person) -> Incident:
    """
    Give an incident to whom it concerns.

    Raises
    ------
    NotFoundError
        If there is none of this id.
    ForbiddenError
        If it is none of the orders of a contractor's crew.
    """
    incident, crews = incidents.find_incident(session, incident_id), find_own_crews(session, person)
    if crews is not None and incident.key not in seen_queries.fetch_incidents_of_crews(
        session, crews
    ):
        raise ForbiddenError("%(incident)s is no job of your crew.", incident=incident.id)
    return incident


def read_visible_photo(session: Session, sha256: str, person: Person) -> bytes:
    """
    Give the picture that may be shown to whom it concerns.

    Raises
    ------
    NotFoundError
        If it is not here.
    ForbiddenError
        If it is of no order of a contractor's crew.
    """
    data, crews = photos.read_published(session, sha256), find_own_crews(session, person)
    if crews is not None and not seen_queries.is_photo_of(session, sha256, person.id, crews):
        raise ForbiddenError("This photo belongs to no job of your crew.")
    return data


_DRAFTS = TypeAdapter(ReportDraft)


_CALL_BACKS = TypeAdapter(CallBackDraft)


def apply_operation(
    session: Session, operation: Operation, actor: Actor, now: dt.datetime
) -> Outcome:
    """Do what somebody wants done: register; at the desk also link, part, take and so on."""
    try:
        act = _ACTIONS.get(operation.action)
        if act is None:
            return Outcome(
                status="illegal",
                message="A report knows no action %(action)s.",
                params={"action": operation.action},
            )
        _check_desk(operation, actor)
        with session.begin_nested():
            return act(session, operation, actor, now)
    except ValidationError as error:
        fields = ", ".join(str(one["loc"][0]) for one in error.errors() if one["loc"])
        message = "These fields are missing or wrong: %(fields)s."
        return Outcome(status="illegal", message=message, params={"fields": fields})
    except ForbiddenError as error:
        return Outcome(status="forbidden", message=error.msgid, params=error.params)
    except FieldopsError as error:
        return Outcome(status="illegal", message=error.msgid, params=error.params)


def _check_desk(operation: Operation, actor: Actor) -> None:
    if operation.action != "register" and not actor.roles & DESK:
        raise ForbiddenError("Your roles do not allow this.")


def _apply_register(
    session: Session, operation: Operation, actor: Actor, now: dt.datetime
) -> Outcome:
    body = dict(operation.body)
    if operation.op_id is not None:
        body["client_id"] = f"op {operation.op_id}"
    body.setdefault("channel", "phone" if actor.roles & DESK else "crew")
    body.pop("token", None)
    done = register_report(session, _DRAFTS.validate_python(body), actor, now, operation=operation)
    return Outcome(
        status="applied",
        id=done.report.id,
        version=done.report.version,
        state=done.report.status,
        message="Registered as %(report)s.",
        params={"report": done.report.id},
    )


def _apply_change(
    session: Session, operation: Operation, actor: Actor, now: dt.datetime
) -> Outcome:
    before = find_report(session, operation.subject_id).version
    after, conflicts = change_report(
        session,
        operation.subject_id,
        operation.body,
        operation.base_version,
        actor,
        now,
        operation=operation,
    )
    status = "applied"
    if conflicts:
        status = "conflict" if after.version == before else "applied_with_conflict"
    return _as_outcome(after, status, conflicts)


def _as_outcome(
    report: Report, status: str = "applied", conflicts: Mapping[str, Any] | None = None
) -> Outcome:
    return Outcome(
        status=status, version=report.version, state=report.status, conflicts=conflicts or {}
    )


_ACTIONS: dict[str, Callable[[Session, Operation, Actor, dt.datetime], Outcome]] = {
    "register": _apply_register,
    "change": _apply_change,
    "link": lambda session, wish, actor, now: _as_outcome(
        link_report(
            session,
            wish.subject_id,
            str(wish.body.get("incident")),
            actor,
            now,
            operation=wish,
        )
    ),
    "part": lambda session, wish, actor, now: _as_outcome(
        part_report(session, wish.subject_id, actor, now, operation=wish)
    ),
    "take": lambda session, wish, actor, now: _as_outcome(
        take_report(session, wish.subject_id, actor, now, operation=wish)
    ),
    "answer": lambda session, wish, actor, now: _as_outcome(
        answer_report(session, wish.subject_id, actor, now, operation=wish)
    ),
    "call_back": lambda session, wish, actor, now: _as_outcome(
        record_call_back(
            session,
            wish.subject_id,
            _CALL_BACKS.validate_python(dict(wish.body)),
            actor,
            now,
            operation=wish,
        )
    ),
}


def _link_what_was_told(session: Session, event: Event) -> None:
    """Link what came before the incident of its segment was opened."""
    incident = incidents.find_by_keys(session, [event.subject_key])[event.subject_key]
    if not incident.zone_parts:
        return
    kinds = [kind for kind in KINDS if belongs(kind, incident.kind, is_planned=incident.is_planned)]
    since = event.received_at - dt.timedelta(hours=read_policy(session)["duplicate_age_h"])
    linked = queries.link_all_in_zone(session, incident.key, incident.zone_parts, kinds, since)
    _tell_all(session, "report.linked", linked, event)


def _link_in_outage(session: Session, event: Event) -> None:
    """Link who told of no water to the incident whose outage reached them."""
    reach = near_queries.fetch_reach(session, event.subject_key)
    if reach is None:
        return
    # Else a call that does not see this outage yet, and that it does not see, stays alone.
    near_queries.stop_intake(session)
    since = event.received_at - dt.timedelta(hours=read_policy(session)["duplicate_age_h"])
    kinds = [*SUPPLY, *QUALITY]
    linked = queries.link_all_on_pipes(session, reach.incident_key, reach.pipe_keys, kinds, since)
    _tell_all(session, "report.linked", linked, event)


def _make_calls_due(session: Session, event: Event) -> None:
    """Whoever told of an incident hears that it is over."""
    ended = queries.end_linked(session, event.subject_key, event.received_at)
    _tell_all(session, "report.ended", ended, event)


def _resume(session: Session, event: Event) -> None:
    resumed = queries.resume_linked(session, event.subject_key)
    _tell_all(session, "report.resumed", resumed, event)


def _tell_all(session: Session, kind: str, reports: Iterable[Report], event: Event) -> None:
    for report in reports:
        tell_report(session, kind, report, SYSTEM, event.received_at)


HANDLERS = {
    "incident.opened": _link_what_was_told,
    "incident.closed": _make_calls_due,
    "incident.reopened": _resume,
    "outage.opened": _link_in_outage,
    "outage.replanned": _link_in_outage,
}
