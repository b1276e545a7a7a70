"""Reports: taken in, compared with what is known, linked, and answered to the one who told."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

from fieldops.errors import ConflictError, FieldopsError, ForbiddenError, NotFoundError
from fieldops.events.queries import fetch_events_of
from fieldops.events.service import SYSTEM, Outcome, append_event, merge_fields
from fieldops.incidents import service as incidents
from fieldops.incidents.queries import read_policy
from fieldops.incidents.service import (
    ESCAPES,
    KINDS,
    QUALITY,
    SUPPLY,
    IncidentDraft,
    IncidentEffect,
    family_of,
)
from fieldops.live_outages import service as live_outages
from fieldops.live_supply.queries import fetch_of_incident
from fieldops.outages.service import Question, preview_outage
from fieldops.photos import service as photos
from fieldops.reports import queries
from fieldops.work_orders.service import Filter, OrderDraft, list_orders, open_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy.orm import Session

    from fieldops.events.service import Actor, Event, Operation
    from fieldops.incidents.service import Incident, Place
    from fieldops.live_outages.service import LiveOutage, Outage, Promise
    from fieldops.reports.queries import CallBack, Near, Reopening, Report
    from fieldops.work_orders.service import WorkOrder

CHANNELS = ("phone", "public", "crew", "api")
CONTACTS = ("fault", "enquiry", "complaint", "suggestion", "praise")
RESULTS = ("reached", "not_back", "complaint", "no_answer", "message")
DESK = frozenset({"dispatcher", "service_agent", "manager", "system"})
LOCAL = ZoneInfo("Asia/Shanghai")
MOST_PHOTOS = 6
CHANGEABLE = ("kind", "contact", "words", "address", "name", "phone", "danger")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDraft:
    """
    What somebody told. The place is one of lon and lat, a pipe's or a customer's id, or an address.

    `is_answered`: an enquiry that was answered on the spot. `client_id`: sent again, a report of
    the same number is the same report.
    """

    kind: str
    channel: str = "phone"
    contact: str = "fault"
    words: str = ""
    name: str | None = None
    phone: str | None = None
    lon: float | None = None
    lat: float | None = None
    address: str | None = None
    pipe: str | None = None
    at_m: float | None = None
    customer: str | None = None
    danger: bool = False
    is_answered: bool = False
    is_drill: bool = False
    photo_sha256: tuple[str, ...] = ()
    client_id: str | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An open incident or report that may be of the same thing, and why."""

    subject: str
    id: str
    kind: str
    address: str | None
    why: tuple[str, ...]
    distance_m: float | None
    age_min: int


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a report comes from, as far as it is known."""

    place: Place | None
    address: str | None
    customer_key: int | None


def with_photos(draft: ReportDraft, photo_sha256: Sequence[str]) -> ReportDraft:
    """Give the draft with these photos besides."""
    return replace(draft, photo_sha256=(*draft.photo_sha256, *photo_sha256))


def register_report(
    session: Session, draft: ReportDraft, actor: Actor, now: dt.datetime
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
    _check_draft(session, draft)
    if draft.client_id is not None:
        queries.lock_sender(session, draft.client_id)
        there = queries.fetch_by_client_id(session, draft.client_id)
        if there is not None:
            return _registered_before(session, there, now)
    queries.join_intake(session)
    policy = read_policy(session)
    spot = _find_spot(session, draft, policy)
    if spot.place is not None:
        incidents.lock_zone(session, spot.place)
    near = _list_near(session, spot.place, now, policy, is_drill=draft.is_drill)
    outage = _find_outage(session, spot, now)
    promise = None if outage is None else live_outages.promise(session, outage.outage, now)
    reopening = _find_reopening(session, draft.kind, spot, policy, now)
    link = _choose_link(session, draft.kind, near, outage, reopening)
    report = queries.insert_report(
        session, _values(draft, spot, actor, now) | _told(outage, promise) | _linked(draft, link)
    )
    _tell(session, "report.registered", report, actor, now)
    linked = None if link is None else incidents.find_by_keys(session, [link[0]])[link[0]]
    return Registered(
        report=report,
        candidates=[] if linked else _rank(near, Told.of(report), policy, now),
        linked_incident=linked,
        outage=outage,
        promise=promise,
        reopening=reopening,
    )


def _check_draft(session: Session, draft: ReportDraft) -> None:
    if draft.kind not in KINDS:
        raise FieldopsError("There is no kind of report %(kind)s.", kind=draft.kind)
    if draft.channel not in CHANNELS or draft.contact not in CONTACTS:
        raise FieldopsError("There is no such channel or kind of contact.")
    if draft.is_answered and draft.contact not in {"enquiry", "suggestion", "praise"}:
        raise FieldopsError("Only an enquiry is over when it was answered on the spot.")
    if len(draft.photo_sha256) > MOST_PHOTOS:
        raise FieldopsError("Send at most %(most)s photos.", most=MOST_PHOTOS)
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


def _find_spot(session: Session, draft: ReportDraft, policy: Mapping[str, float]) -> Spot:
    """Find the place by the best that is known: customer, pipe, coordinates, then address."""
    address = (draft.address or "").strip() or None
    premises, pipe_key, at_m, lon, lat = None, None, draft.at_m, draft.lon, draft.lat
    if draft.customer is not None:
        premises = queries.fetch_customer(session, draft.customer)
        if premises is None:
            raise NotFoundError("There is no customer %(customer)s.", customer=draft.customer)
    elif draft.pipe is None and lon is None and address is not None:
        premises = queries.fetch_customer_at(session, address)
    if draft.pipe is not None:
        pipe_key = incidents.find_pipe_key(session, draft.pipe)
    if premises is not None:
        address = address or premises.address
        lon, lat = (premises.lon, premises.lat) if lon is None else (lon, lat)
        if pipe_key is None and premises.pipe_key is not None:
            pipe_key, at_m = premises.pipe_key, premises.at_m
    place = incidents.locate(
        session, lon=lon, lat=lat, pipe_key=pipe_key, at_m=at_m, most_m=policy["nearest_pipe_m"]
    )
    if address is None and place is not None:
        address = place.road_name
    return Spot(
        place=place, address=address, customer_key=premises.key if premises is not None else None
    )


def _find_outage(session: Session, spot: Spot, now: dt.datetime) -> LiveOutage | None:
    """Find the outage that a place is without water by; one of tomorrow, or over, is none."""
    pipe_key = spot.place.pipe_key if spot.place else None
    keys = [] if spot.customer_key is None else [spot.customer_key]
    if not keys and pipe_key is None:
        return None
    found = live_outages.find_live_outage_at(session, customer_keys=keys, pipe_key=pipe_key)
    if found is None or found.status != "open":
        return None
    begins_at = found.outage.planned_from
    is_later = found.outage.is_planned and begins_at is not None and begins_at > now
    return None if is_later else found


def _find_reopening(
    session: Session, kind: str, spot: Spot, policy: Mapping[str, float], now: dt.datetime
) -> Reopening | None:
    pipe_key = spot.place.pipe_key if spot.place else None
    if kind != "discoloured" or (pipe_key is None and spot.customer_key is None):
        return None
    since = now - dt.timedelta(hours=policy["reopening_h"])
    return queries.fetch_reopening(session, pipe_key, spot.customer_key, since, now)


def belongs(kind: str, incident_kind: str, *, is_planned: bool) -> bool:
    """Tell whether a report of a kind may be of an incident of a kind at all."""
    if is_planned or incident_kind == "planned_work":
        return kind in SUPPLY or kind in QUALITY
    family = family_of(incident_kind)
    return family_of(kind) == family or (family == "supply" and kind in QUALITY)


def _choose_link(
    session: Session,
    kind: str,
    near: Iterable[Near],
    outage: LiveOutage | None,
    reopening: Reopening | None,
) -> tuple[int, str] | None:
    """Choose the incident that a report is linked to by itself, and by what, if any."""
    if reopening is not None and reopening.incident_key is not None:
        return reopening.incident_key, "reopening"
    inside = [
        one
        for one in near
        if one.subject == "incident"
        and one.is_in_zone
        and belongs(kind, one.kind, is_planned=one.is_planned)
    ]
    if inside:
        # Two in one segment are rare, and then somebody said so: the nearest is the likelier.
        return min(inside, key=lambda one: one.distance_m or 0.0).key, "zone"
    if outage is not None and (kind in SUPPLY or kind in QUALITY):
        reach = queries.fetch_reach(session, outage.key)
        return (reach.incident_key, "zone") if reach else None
    return None


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
        **_place_values(spot),
        "first_contact_id": actor.person_id if is_taken else None,
        "first_contact_by": (actor.by_phone_for or actor.name) if is_taken else None,
        "received_at": now,
        "photo_sha256": list(draft.photo_sha256),
        "client_id": draft.client_id,
        "token": draft.token,
        "status": "answered" if draft.is_answered else "open",
        "ended_at": now if draft.is_answered else None,
    }


def _place_values(spot: Spot) -> dict[str, Any]:
    place = spot.place
    return {
        "lon": place.lon if place else None,
        "lat": place.lat if place else None,
        "pipe_key": place.pipe_key if place else None,
        "at_m": place.at_m if place else None,
        "part_key": place.part_key if place else None,
        "customer_key": spot.customer_key,
    }


def _told(outage: LiveOutage | None, promise: Promise | None) -> dict[str, Any]:
    if outage is None or promise is None:
        return {}
    return {"outage_key": outage.key, "promise": promise_as_json(promise) | {"outage": outage.id}}


def _linked(draft: ReportDraft, link: tuple[int, str] | None) -> dict[str, Any]:
    if link is None:
        return {}
    values: dict[str, Any] = {"incident_key": link[0], "link_kind": link[1]}
    return values if draft.is_answered else values | {"status": "linked"}


def promise_as_json(promise: Promise) -> dict[str, str | None]:
    """Write what was promised so that it can be kept."""
    return {
        name: moment.isoformat() if (moment := getattr(promise, name)) else None
        for name in ("by", "next_news_at")
    }


def _list_near(
    session: Session,
    place: Place | None,
    now: dt.datetime,
    policy: Mapping[str, float],
    *,
    is_drill: bool,
) -> list[Near]:
    if place is None:
        return []
    since = now - dt.timedelta(hours=policy["duplicate_age_h"])
    limits = (policy["duplicate_distance_m"], since)
    where = (place.lon, place.lat)
    near = queries.fetch_candidates(session, where, place.part_key, place.zone_parts, limits)
    return [one for one in near if one.is_drill == is_drill]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What decides of a report which others may be the same."""

    kind: str
    key: int | None = None
    incident_key: int | None = None
    parted_from: tuple[int, ...] = ()

    @classmethod
    def of(cls, report: Report) -> Told:
        """Take it from a report."""
        return cls(
            kind=report.kind,
            key=report.key,
            incident_key=report.incident_key,
            parted_from=tuple(report.parted_from),
        )


def _rank(
    near: Iterable[Near], report: Told, policy: Mapping[str, float], now: dt.datetime
) -> list[Candidate]:
    """Put what may be the same first: by segment, then by distance, age and kind together."""

    def order(one: Near) -> tuple[bool, float]:
        far = (one.distance_m or 0.0) / policy["duplicate_distance_m"]
        old = (now - one.at).total_seconds() / 3600 / policy["duplicate_age_h"]
        alike = 0.0 if one.kind == report.kind else 0.1
        strange = 0.0 if belongs(report.kind, one.kind, is_planned=one.is_planned) else 2.0
        first = 0.0 if one.subject == "incident" else 0.05
        return not one.is_in_zone, far + old + alike + strange + first

    others = [
        one
        for one in near
        if not (one.subject == "report" and one.key == report.key)
        and not (one.subject == "incident" and one.key == report.incident_key)
    ]
    best = sorted(others, key=order)[: int(policy["duplicates_shown"])]
    return [_as_candidate(one, report, policy, now) for one in best]


def _as_candidate(
    one: Near, report: Told, policy: Mapping[str, float], now: dt.datetime
) -> Candidate:
    is_near = one.distance_m is not None and one.distance_m <= policy["duplicate_distance_m"]
    is_related = belongs(report.kind, one.kind, is_planned=one.is_planned)
    why = {
        "same_zone": one.is_in_zone,
        "near": is_near,
        "same_kind": one.kind == report.kind,
        "related_kind": one.kind != report.kind and is_related,
        "planned": one.is_planned,
        "parted": one.subject == "incident" and one.key in report.parted_from,
    }
    return Candidate(
        subject=one.subject,
        id=one.id,
        kind=one.kind,
        address=one.address,
        why=tuple(code for code, is_so in why.items() if is_so),
        distance_m=None if one.distance_m is None else round(one.distance_m, 1),
        age_min=int((now - one.at).total_seconds() // 60),
    )


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
    spot = _find_spot(session, draft, policy)
    near = _list_near(session, spot.place, now, policy, is_drill=False)
    outage = _find_outage(session, spot, now)
    reopening = _find_reopening(session, draft.kind, spot, policy, now)
    link = _choose_link(session, draft.kind, near, outage, reopening)
    linked = incidents.find_by_keys(session, [link[0]])[link[0]] if link else None
    return Known(
        place=spot.place,
        address=spot.address,
        candidates=[] if linked else _rank(near, Told(kind=draft.kind), policy, now),
        links_to=linked,
        outage=outage,
        promise=None if outage is None else live_outages.promise(session, outage.outage, now),
        reopening=reopening,
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
    place = _place_of(session, report, policy)
    spot = Spot(place=place, address=report.address, customer_key=report.customer_key)
    near = []
    if report.incident_key is None:
        near = _list_near(session, place, now, policy, is_drill=report.is_drill)
    outage = _find_outage(session, spot, now)
    linked = None
    if report.incident_key is not None:
        linked = incidents.find_by_keys(session, [report.incident_key])[report.incident_key]
    return Registered(
        report=report,
        candidates=_rank(near, Told.of(report), policy, now),
        linked_incident=linked,
        outage=outage,
        promise=None if outage is None else live_outages.promise(session, outage.outage, now),
        reopening=_find_reopening(session, report.kind, spot, policy, now),
    )


def _place_of(session: Session, report: Report, policy: Mapping[str, float]) -> Place | None:
    return incidents.locate(
        session,
        lon=report.lon,
        lat=report.lat,
        pipe_key=report.pipe_key,
        at_m=report.at_m,
        most_m=policy["nearest_pipe_m"],
    )


def find_report(session: Session, report_id: str) -> Report:
    """
    Give a report.

    Raises
    ------
    NotFoundError
        If there is none of this id.
    """
    return _found(queries.fetch_report(session, report_id), report_id)


def _lock(session: Session, report_id: str) -> Report:
    return _found(queries.fetch_report(session, report_id, is_locking=True), report_id)


def _found(report: Report | None, report_id: str) -> Report:
    if report is None:
        raise NotFoundError("There is no report %(report)s.", report=report_id)
    return report


def list_of_incidents(session: Session, incident_keys: Sequence[int]) -> list[Report]:
    """Give the reports that are linked to some incidents."""
    return queries.fetch_of_incidents(session, incident_keys) if incident_keys else []


def list_waiting(session: Session, limit: int = 200) -> list[Report]:
    """Give what nobody has linked or answered yet, the oldest first."""
    return queries.fetch_by_status(session, ["open"], limit)


def list_latest(session: Session, limit: int = 20) -> list[Report]:
    """Give what came last."""
    return queries.fetch_latest(session, limit)


def list_earlier(session: Session, phone: str, limit: int = 5) -> list[Report]:
    """Give what came from a telephone before."""
    return queries.fetch_by_phone(session, phone, limit)


def link_report(
    session: Session,
    report_id: str,
    incident_id: str,
    actor: Actor,
    now: dt.datetime,
    kind: str = "chosen",
) -> Report:
    """
    Link a report to an incident; it stays its own record.

    Raises
    ------
    ConflictError
        If it is linked to another incident, or over.
    """
    report = _lock(session, report_id)
    incident = incidents.find_incident(session, incident_id)
    if report.incident_key == incident.key:
        return report
    if report.incident_key is not None:
        raise ConflictError(
            "%(report)s is linked to %(incident)s already: part it first.",
            report=report.id,
            incident=report.incident,
        )
    if report.status not in {"open", "answered"}:
        raise ConflictError("%(report)s is over.", report=report.id)
    values: dict[str, Any] = {
        "incident_key": incident.key,
        "link_kind": kind,
        "linked_by": actor.name,
        "parted_from": [key for key in report.parted_from if key != incident.key],
    }
    if report.status == "open":
        values["status"] = "linked" if incident.is_open else "callback_due"
    after = _change(session, report, values, actor)
    _tell(session, "report.linked", after, actor, now)
    return after


def part_report(session: Session, report_id: str, actor: Actor, now: dt.datetime) -> Report:
    """
    Undo a link; it is not made again by itself.

    Raises
    ------
    ConflictError
        If it is linked to nothing, or the call back is done.
    """
    report = _lock(session, report_id)
    if report.incident_key is None:
        raise ConflictError("%(report)s is linked to no incident.", report=report.id)
    if report.status == "closed":
        raise ConflictError("%(report)s is over.", report=report.id)
    values: dict[str, Any] = {
        "incident_key": None,
        "link_kind": None,
        "linked_by": None,
        "parted_from": [*report.parted_from, report.incident_key],
    }
    if report.status != "answered":
        values["status"] = "open"
    after = _change(session, report, values, actor)
    _tell(session, "report.parted", after, actor, now, more={"parted_from": report.incident})
    return after


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
    queries.join_intake(session)
    spot = _find_spot(session, where, policy)
    if spot.place is None:
        raise FieldopsError("Say where it is: a place on the map, or a pipe.")
    incidents.lock_zone(session, spot.place)
    report = _lock(session, report_id)
    if report.incident_key is not None or report.status != "open":
        raise ConflictError("%(report)s is linked or over: its place stays.", report=report.id)
    near = _list_near(session, spot.place, now, policy, is_drill=report.is_drill)
    outage = _find_outage(session, spot, now)
    promise = None if outage is None else live_outages.promise(session, outage.outage, now)
    reopening = _find_reopening(session, report.kind, spot, policy, now)
    link = _choose_link(session, report.kind, near, outage, reopening)
    if link is not None and link[0] in report.parted_from:
        link = None
    values = _place_values(spot) | {"address": report.address or spot.address}
    if link is not None:
        values |= {"incident_key": link[0], "link_kind": link[1], "status": "linked"}
    after = _change(session, report, values | _told(outage, promise), actor)
    _tell(session, "report.placed", after, actor, now)
    return after


def _change(session: Session, report: Report, values: Mapping[str, Any], actor: Actor) -> Report:
    """Write what changed; whoever does the first thing about a report is its first contact."""
    version = report.version + 1
    taken: dict[str, Any] = {}
    if report.first_contact_by is None and actor.person_id is not None:
        taken = {
            "first_contact_id": actor.person_id,
            "first_contact_by": actor.by_phone_for or actor.name,
        }
    changed = {**values, **taken}
    return queries.update_report(
        session,
        report.key,
        {
            **changed,
            "version": version,
            "changed_in": report.changed_in | dict.fromkeys(changed, version),
        },
    )


def take_report(session: Session, report_id: str, actor: Actor, now: dt.datetime) -> Report:
    """
    Become the first contact of a report that came without one; that is set once.

    Raises
    ------
    ConflictError
        If somebody is.
    """
    report = _lock(session, report_id)
    if report.first_contact_by is not None:
        raise ConflictError(
            "%(person)s is the first contact of %(report)s.",
            person=report.first_contact_by,
            report=report.id,
        )
    after = _change(session, report, {}, actor)
    _tell(session, "report.taken", after, actor, now)
    return after


def answer_report(session: Session, report_id: str, actor: Actor, now: dt.datetime) -> Report:
    """
    End an enquiry that is answered.

    Raises
    ------
    ConflictError
        If it is over, or a fault or complaint, which a call back ends.
    """
    report = _lock(session, report_id)
    if report.contact in {"fault", "complaint"}:
        raise ConflictError("A fault or a complaint ends with a call back.")
    if report.status in {"answered", "closed"}:
        raise ConflictError("%(report)s is over.", report=report.id)
    after = _change(session, report, {"status": "answered", "ended_at": now}, actor)
    _tell(session, "report.answered", after, actor, now)
    return after


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBackDraft:
    """How a try to call back ended; `is_incoming`: the reporter called, at whatever hour."""

    result: str
    note: str = ""
    at: dt.datetime | None = None
    is_incoming: bool = False


def record_call_back(
    session: Session, report_id: str, draft: CallBackDraft, actor: Actor, now: dt.datetime
) -> Report:
    """
    Record a try to call back, and end the report where that is enough.

    Raises
    ------
    FieldopsError
        If there is no such result, or it lies in the future.
    ConflictError
        If the report is over, it was in the hours of quiet, or a message cannot end it.
    """
    report = _lock(session, report_id)
    at = draft.at or now
    _check_call_back(session, report, draft, at, now)
    queries.insert_call_back(
        session,
        {
            "report_key": report.key,
            "result": draft.result,
            "note": draft.note.strip(),
            "at": at,
            "person_id": actor.person_id,
            "person_name": actor.by_phone_for or actor.name,
        },
    )
    after = _change(session, report, _after_call(session, report, draft.result, now), actor)
    more = {"result": draft.result}
    _tell(session, "report.called_back", after, actor, now, more=more)
    return after


def _check_call_back(
    session: Session, report: Report, draft: CallBackDraft, at: dt.datetime, now: dt.datetime
) -> None:
    if draft.result not in RESULTS:
        raise FieldopsError("A call back knows no result %(result)s.", result=draft.result)
    if at > now or at < report.received_at:
        raise FieldopsError("A call back lies between the report and now.")
    if report.status in {"answered", "closed"} and draft.result not in {"not_back", "complaint"}:
        raise ConflictError("%(report)s is over.", report=report.id)
    if draft.result == "message":
        tried = queries.fetch_call_backs(session, [report.key]).get(report.key, [])
        is_told_otherwise = any(one.result == "not_back" for one in tried)
        if report.contact == "complaint" or is_told_otherwise:
            raise ConflictError("A complaint, or water that is not back, needs a person to call.")
    elif not draft.is_incoming and is_quiet(read_policy(session), at):
        raise ConflictError("Nobody is called in the hours of quiet.")


def is_quiet(policy: Mapping[str, float], at: dt.datetime) -> bool:
    """Tell whether nobody may be called at a moment."""
    local = at.astimezone(LOCAL)
    hour = local.hour + local.minute / 60
    since, until = policy["quiet_from_h"], policy["quiet_until_h"]
    if since <= until:
        return since <= hour < until
    return hour >= since or hour < until


def _after_call(session: Session, report: Report, result: str, now: dt.datetime) -> dict[str, Any]:
    """Tell how a report stands after a call."""
    if result == "not_back":
        return {"status": "open", "ended_at": None}
    if result == "complaint":
        is_waiting = report.status == "linked"
        status = "linked" if is_waiting else "open"
        return {"contact": "complaint", "status": status, "ended_at": None}
    if report.status == "linked":
        # Its incident is under way: it was told how things are, and will be called again.
        return {}
    if result == "no_answer":
        tries = queries.count_call_backs(session, report.key, "no_answer")
        if tries < read_policy(session)["call_back_tries"]:
            return {}
    return {"status": "closed", "ended_at": now}


def list_call_backs(session: Session, reports: Iterable[Report]) -> dict[int, list[CallBack]]:
    """Give the tries to call some reporters back, by the keys of their reports."""
    keys = [report.key for report in reports]
    return queries.fetch_call_backs(session, keys) if keys else {}


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
    place = _place_of(session, find_report(session, report_id), read_policy(session))
    if place is not None:
        incidents.lock_zone(session, place)
    report = _lock(session, report_id)
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
        report = _change(session, report, {"link_kind": kind, "linked_by": actor.name}, actor)
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


def list_due(session: Session, limit: int = 200) -> list[Report]:
    """Give the reports whose reporters are to be called back, the oldest first."""
    return queries.fetch_by_status(session, ["callback_due"], limit)


def change_report(
    session: Session,
    report_id: str,
    wanted: Mapping[str, Any],
    base_version: int | None,
    actor: Actor,
    now: dt.datetime,
) -> tuple[Report, Mapping[str, Any]]:
    """Change fields of a report, and give it with the fields that somebody else changed."""
    report = _lock(session, report_id)
    wanted = {name: wanted[name] for name in CHANGEABLE if name in wanted}
    if wanted.get("kind", report.kind) not in KINDS:
        raise FieldopsError("There is no kind of report %(kind)s.", kind=wanted["kind"])
    if wanted.get("contact", report.contact) not in CONTACTS:
        raise FieldopsError("There is no such channel or kind of contact.")
    current = {name: getattr(report, name) for name in wanted}
    merged = merge_fields(current, report.changed_in, base_version, wanted)
    changed = {name: value for name, value in merged.applied.items() if current[name] != value}
    if not changed:
        return report, merged.conflicts
    after = _change(session, report, changed, actor)
    _tell(session, "report.changed", after, actor, now, more={"fields": sorted(changed)})
    return after, merged.conflicts


def _tell(
    session: Session,
    kind: str,
    report: Report,
    actor: Actor,
    now: dt.datetime,
    *,
    more: Mapping[str, Any] | None = None,
) -> None:
    # The log is never changed: no name and no number of anybody outside goes into it.
    body = {
        "id": report.id,
        "state": report.status,
        "version": report.version,
        "kind": report.kind,
        "contact": report.contact,
        "channel": report.channel,
        "incident": report.incident,
        "link_kind": report.link_kind,
        "lon": report.lon,
        "lat": report.lat,
        "address": report.address,
        **(more or {}),
    }
    append_event(session, kind, ("report", report.key), by=actor, now=now, body=body)


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
    done = register_report(session, _DRAFTS.validate_python(body), actor, now)
    return _as_outcome(done.report)


def _apply_change(
    session: Session, operation: Operation, actor: Actor, now: dt.datetime
) -> Outcome:
    before = find_report(session, operation.subject_id).version
    after, conflicts = change_report(
        session, operation.subject_id, operation.body, operation.base_version, actor, now
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
        link_report(session, wish.subject_id, str(wish.body.get("incident")), actor, now)
    ),
    "part": lambda session, wish, actor, now: _as_outcome(
        part_report(session, wish.subject_id, actor, now)
    ),
    "take": lambda session, wish, actor, now: _as_outcome(
        take_report(session, wish.subject_id, actor, now)
    ),
    "answer": lambda session, wish, actor, now: _as_outcome(
        answer_report(session, wish.subject_id, actor, now)
    ),
    "call_back": lambda session, wish, actor, now: _as_outcome(
        record_call_back(
            session, wish.subject_id, _CALL_BACKS.validate_python(dict(wish.body)), actor, now
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
    reach = queries.fetch_reach(session, event.subject_key)
    if reach is None:
        return
    # Else a call that does not see this outage yet, and that it does not see, stays alone.
    queries.stop_intake(session)
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
        _tell(session, kind, report, SYSTEM, event.received_at)


HANDLERS = {
    "incident.opened": _link_what_was_told,
    "incident.closed": _make_calls_due,
    "incident.reopened": _resume,
    "outage.opened": _link_in_outage,
    "outage.replanned": _link_in_outage,
}
