"""Where a report comes from, and what is known there: outages, incidents, other reports."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fieldops.duplicates import queries
from fieldops.errors import NotFoundError
from fieldops.incidents import service as incidents
from fieldops.incidents.service import QUALITY, SUPPLY, Place, family_of
from fieldops.live_outages import service as live_outages

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.orm import Session

    from fieldops.duplicates.queries import Near, Reopening
    from fieldops.live_outages.service import LiveOutage, Promise
    from fieldops.report_records.queries import Report
    from fieldops.report_records.service import ReportDraft


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
class Spot:
    """Where a report comes from, as far as it is known."""

    place: Place | None
    address: str | None
    customer_key: int | None


def find_spot(session: Session, draft: ReportDraft, policy: Mapping[str, float]) -> Spot:
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


def place_values(spot: Spot) -> dict[str, Any]:
    """Give the columns of a report that say where it comes from."""
    place = spot.place
    return {
        "lon": place.lon if place else None,
        "lat": place.lat if place else None,
        "pipe_key": place.pipe_key if place else None,
        "at_m": place.at_m if place else None,
        "part_key": place.part_key if place else None,
        "customer_key": spot.customer_key,
    }


def place_of(session: Session, report: Report, policy: Mapping[str, float]) -> Place | None:
    """Find the place of a report again, in the network as it is now."""
    return incidents.locate(
        session,
        lon=report.lon,
        lat=report.lat,
        pipe_key=report.pipe_key,
        at_m=report.at_m,
        most_m=policy["nearest_pipe_m"],
    )


def find_outage(session: Session, spot: Spot, now: dt.datetime) -> LiveOutage | None:
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


def find_reopening(
    session: Session, kind: str, spot: Spot, policy: Mapping[str, float], now: dt.datetime
) -> Reopening | None:
    """Find the reopening that discoloured water comes from, if it is so young."""
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


def choose_link(
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


def list_near(
    session: Session,
    place: Place | None,
    now: dt.datetime,
    policy: Mapping[str, float],
    *,
    is_drill: bool,
) -> list[Near]:
    """List open incidents and reports in the segment of a place or near it."""
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


def rank(
    near: Iterable[Near], report: Told, policy: Mapping[str, float], now: dt.datetime
) -> list[Candidate]:
    """
    Put what may be the same first: by segment, then by distance, age and kind together.

    An incident that fits comes before any report: many loose reports must not hide it.
    """

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
    best = sorted(others, key=order)
    fitting = [
        one
        for one in best
        if one.subject == "incident"
        and one.key not in report.parted_from
        and belongs(report.kind, one.kind, is_planned=one.is_planned)
    ]
    best = (fitting[:1] + [one for one in best if one not in fitting[:1]])[
        : int(policy["duplicates_shown"])
    ]
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


def promise_as_json(promise: Promise) -> dict[str, str | None]:
    """Write what was promised so that it can be kept."""
    return {
        name: moment.isoformat() if (moment := getattr(promise, name)) else None
        for name in ("by", "next_news_at")
    }
