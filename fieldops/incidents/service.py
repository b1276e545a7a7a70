"""Incidents: opened at a place, weighed by what they do, ended when nothing is left to be done."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import AfterValidator, BaseModel, Field, StrictBool, ValidationError

from fieldops.errors import ConflictError, FieldopsError, ForbiddenError, NotFoundError
from fieldops.events.service import SYSTEM, Outcome, append_event, merge_fields
from fieldops.incidents import queries
from fieldops.incidents.queries import Incident, Stage, Surroundings
from fieldops.network.service import current_network
from gis.floods import UNTOUCHED, drain

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.orm import Session

    from fieldops.events.service import Actor, Operation
    from fieldops.incidents.queries import Weight

__all__ = [
    "KINDS",
    "Incident",
    "IncidentDraft",
    "IncidentEffect",
    "Place",
    "Stage",
    "apply_operation",
    "close_incident",
    "find_incident",
    "list_open",
    "list_stages",
    "locate",
    "lock_zone",
    "open_incident",
    "open_or_find_incident",
    "record_effect",
]

ESCAPES = (
    "burst", "leak", "visible_leak", "surfacing", "collapse", "frost", "third_party_damage",
)  # fmt: skip
"""Kinds by which water comes out of the network."""
SUPPLY = ("no_water", "low_pressure")
QUALITY = ("discoloured", "odour")
KINDS = (
    *ESCAPES, *SUPPLY, *QUALITY, "valve_fault", "cover_defect", "planned_work", "other",
)  # fmt: skip
PARTS_A_PIPE = 64
"""The map's tiles number the parts of a pipe so: its key times this, plus the part's number."""
CHANGERS = frozenset({"dispatcher", "service_agent", "manager", "system"})


def family_of(kind: str) -> str:
    """Name what a kind may be one thing with: a burst is heard of as no water, too."""
    if kind in ESCAPES or kind in SUPPLY:
        return "supply"
    return "quality" if kind in QUALITY else kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place, and where it lies in the network; the zone is its isolation segment."""

    lon: float
    lat: float
    pipe: str | None
    pipe_key: int | None
    at_m: float | None
    pipe_distance_m: float | None
    diameter_mm: float | None
    road_name: str | None
    road_kmh: float | None
    part_key: int | None
    zone_parts: list[int]
    zone_pipe_keys: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentDraft:
    """
    What somebody knows of an incident that is to be opened.

    Either lon and lat or pipe_key must be given; the rest of the place is looked up.
    `is_separate`: it is known to be another thing than the open incident of the same segment.
    """

    kind: str
    lon: float | None = None
    lat: float | None = None
    address: str | None = None
    pipe_key: int | None = None
    at_m: float | None = None
    danger: bool = False
    is_spreading: bool = False
    is_planned: bool = False
    is_drill: bool = False
    is_separate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentEffect:
    """What an incident does; None where it is not known, and what was known then stays."""

    properties_out: int | None = None
    people_out: int | None = None
    critical_ids: Sequence[str] | None = None
    hydrants_dry: int | None = None
    diameter_mm: float | None = None
    road_name: str | None = None
    is_spreading: bool | None = None
    zone_parts: Sequence[int] | None = None
    """Where more than the first segment is shut: its parts, as the map's tiles number them."""


# PostgreSQL keeps no NUL, neither in a row nor in the log.
Words = Annotated[str, AfterValidator(lambda words: words.replace("\0", ""))]


class ChangeBody(BaseModel):
    """What of an incident may be changed; only what was sent is."""

    kind: Words = Field(default="", max_length=50)
    address: Words | None = Field(default=None, max_length=500)
    danger: StrictBool = False
    is_spreading: StrictBool = False


def read_change(kind: type[BaseModel], body: Mapping[str, Any]) -> dict[str, Any]:
    """
    Read what somebody wants changed; what may not be changed is passed over.

    Raises
    ------
    FieldopsError
        If a value is not of the kind that belongs there; it names the fields.
    """
    try:
        return kind.model_validate(dict(body)).model_dump(exclude_unset=True)
    except ValidationError as error:
        wrong = sorted({str(fault["loc"][0]) for fault in error.errors() if fault["loc"]})
        raise FieldopsError(
            "These fields are missing or wrong: %(fields)s.", fields=", ".join(wrong)
        ) from error


def locate(
    session: Session,
    *,
    lon: float | None = None,
    lat: float | None = None,
    pipe_key: int | None = None,
    at_m: float | None = None,
    most_m: float | None = None,
) -> Place | None:
    """
    Find a place's pipe, road and isolation segment; None where no place is given.

    Raises
    ------
    NotFoundError
        If there is no such pipe.
    """
    if pipe_key is not None and (lon is None or lat is None):
        point = queries.fetch_point_of_pipe(session, pipe_key, at_m)
        if point is None:
            raise NotFoundError("There is no such pipe.")
        lon, lat = point
    if lon is None or lat is None:
        return None
    if pipe_key is not None:
        most_m = float("inf")
    elif most_m is None:
        most_m = queries.read_policy(session)["nearest_pipe_m"]
    found = queries.fetch_surroundings(session, lon, lat, most_m, pipe_key)
    if pipe_key is not None and at_m is not None:
        found = replace(found, at_m=at_m)
    return _with_zone(session, found)


def _with_zone(session: Session, found: Surroundings) -> Place:
    part: int | None = None
    parts: list[int] = []
    pipes: list[int] = []
    if found.pipe_key is not None and found.at_m is not None:
        part, parts, pipes = _zone_of(session, found.pipe_key, found.at_m)
    return Place(**asdict(found), part_key=part, zone_parts=parts, zone_pipe_keys=pipes)


def _zone_of(
    session: Session, pipe_key: int, at_m: float
) -> tuple[int | None, list[int], list[int]]:
    """Find the part of a place, and all parts and pipes that drain with it."""
    stored = current_network(session)
    world, keys = stored.world, stored.keys.pipes
    row = int(np.searchsorted(keys, pipe_key))
    if row >= keys.size or keys[row] != pipe_key:
        return None, [], []
    blocks = world.blocks
    part = blocks.part_at(np.array([row], dtype=np.int32), np.array([at_m]))
    mark = np.full(blocks.count, UNTOUCHED, dtype=np.int8)
    at = blocks.of_vertex[blocks.nodes + part].astype(np.int32)
    edges = world.edges
    shut = drain(edges.start, edges.members, blocks.edge_blocks, world.state, at, mark)
    parts = world.members.parts.of_blocks(shut)

    def ids(rows: Any) -> Any:  # noqa: ANN401 - arrays of numbers
        pipe = blocks.part_pipe[rows]
        return keys[pipe] * PARTS_A_PIPE + np.minimum(
            rows - blocks.first_part[pipe], PARTS_A_PIPE - 1
        )

    zone = np.unique(ids(parts))
    return int(ids(part)[0]), zone.tolist(), np.unique(zone // PARTS_A_PIPE).tolist()


def open_incident(
    session: Session, draft: IncidentDraft, actor: Actor, now: dt.datetime
) -> Incident:
    """
    Open an incident.

    Raises
    ------
    FieldopsError
        If the kind is not known, or no place is given.
    ConflictError
        If an open incident of such a kind holds the segment.
    """
    incident, is_new = open_or_find_incident(session, draft, actor, now)
    if not is_new:
        raise ConflictError(
            "%(incident)s is open already where the same valves would be closed. Link to it, or"
            " say that this is another one.",
            incident=incident.id,
        )
    return incident


def open_or_find_incident(
    session: Session, draft: IncidentDraft, actor: Actor, now: dt.datetime
) -> tuple[Incident, bool]:
    """
    Open an incident, or give the one that holds the segment; and tell which of the two it was.

    Of two who do so at the same moment the database lets one open.
    """
    if draft.kind not in KINDS:
        raise FieldopsError("There is no kind of incident %(kind)s.", kind=draft.kind)
    place = locate(session, lon=draft.lon, lat=draft.lat, pipe_key=draft.pipe_key, at_m=draft.at_m)
    if place is None:
        raise FieldopsError("Say where it is: a place on the map, or a pipe.")
    lock_zone(session, place)
    values = {
        "kind": draft.kind,
        "is_planned": draft.is_planned,
        "is_drill": draft.is_drill,
        "lon": place.lon,
        "lat": place.lat,
        "address": draft.address or place.road_name,
        "pipe_key": place.pipe_key,
        "at_m": place.at_m,
        "zone_pipe_keys": place.zone_pipe_keys,
        "zone_parts": place.zone_parts,
        "zone_lock": _zone_lock(draft, place),
        "danger": draft.danger,
        "is_spreading": draft.is_spreading,
        "diameter_mm": place.diameter_mm,
        "road_name": place.road_name,
        "road_kmh": place.road_kmh,
        "opened_at": now,
        "opened_by": actor.name,
        "opened_by_id": actor.person_id,
    }
    incident = queries.insert_incident(session, values)
    if incident is None:
        holder = queries.fetch_lock_holder(session, str(values["zone_lock"]))
        if holder is None:
            # It was closed between our two statements: now nothing stands in the way.
            return open_or_find_incident(session, draft, actor, now)
        return holder, False
    incident = _weigh(session, incident, {})
    _tell(session, "incident.opened", incident, actor, now)
    return incident, True


def lock_zone(session: Session, place: Place) -> None:
    """
    Let one after the other tell of something in a segment, or open it; until the commit.

    Whoever also locks a report or an incident takes this lock first.
    """
    if place.zone_parts:
        queries.lock_zone(session, place.zone_parts[0])


def _zone_lock(draft: IncidentDraft, place: Place) -> str | None:
    family = family_of(draft.kind)
    is_shared = draft.is_separate or draft.is_planned or family not in {"supply", "quality"}
    if is_shared or not place.zone_parts:
        return None
    # All places of a segment give the same list (but for pipes that only pass water one way), so
    # its first part names the segment.
    return f"{family}{' drill' if draft.is_drill else ''} {place.zone_parts[0]}"


def find_incident(session: Session, incident_id: str) -> Incident:
    """
    Give an incident.

    Raises
    ------
    NotFoundError
        If there is none of this id.
    """
    return _found(queries.fetch_incident(session, incident_id), incident_id)


def _lock(session: Session, incident_id: str) -> Incident:
    return _found(queries.fetch_incident(session, incident_id, is_locking=True), incident_id)


def _found(incident: Incident | None, incident_id: str) -> Incident:
    if incident is None:
        raise NotFoundError("There is no incident %(incident)s.", incident=incident_id)
    return incident


def find_by_keys(session: Session, keys: Iterable[int]) -> dict[int, Incident]:
    """Give some incidents by their keys."""
    wanted = sorted(set(keys))
    return queries.fetch_by_keys(session, wanted) if wanted else {}


def list_open(session: Session) -> list[Incident]:
    """Give every open incident, the heaviest first."""
    return queries.fetch_open(session)


def list_closed(session: Session, limit: int = 50) -> list[Incident]:
    """Give the incidents that ended last."""
    return queries.fetch_closed(session, limit)


def list_stages(session: Session, incident: Incident) -> list[Stage]:
    """Give the orders that an incident begins with, in their order."""
    return queries.fetch_stages(session, incident.kind, incident.pipe_key)


def record_effect(
    session: Session,
    incident_id: str,
    effect: IncidentEffect,
    now: dt.datetime,
    actor: Actor = SYSTEM,
) -> Incident:
    """Record what an incident does, and weigh it anew."""
    incident = _lock(session, incident_id)
    known = {name: value for name, value in asdict(effect).items() if value is not None}
    if "critical_ids" in known:
        known["critical_ids"] = sorted(known["critical_ids"])
        known["critical_out"] = len(known["critical_ids"])
    if "zone_parts" in known:
        parts = sorted(set(known["zone_parts"]))
        known["zone_parts"] = parts
        known["zone_pipe_keys"] = sorted({part // PARTS_A_PIPE for part in parts})
    if "properties_out" in known:
        # A number of people belongs to its number of properties: an old one is no longer true.
        known.setdefault("people_out", None)
    changed = {name: value for name, value in known.items() if getattr(incident, name) != value}
    if not changed:
        return incident
    after = _weigh(session, incident, changed)
    _tell(session, "incident.scored", after, actor, now)
    return after


def _weigh(session: Session, incident: Incident, changed: Mapping[str, Any]) -> Incident:
    """Write what changed of an incident, its next version and its score with the parts."""
    parts = score_parts(replace(incident, **changed), queries.fetch_weights(session))
    version = incident.version + 1 if changed else incident.version
    return queries.update_incident(
        session,
        incident.key,
        {
            **changed,
            "score_parts": parts,
            "score": round(sum(part["points"] for part in parts)),
            "version": version,
            "changed_in": incident.changed_in | dict.fromkeys(changed, version),
        },
    )


def score_parts(incident: Incident, weights: Sequence[Weight]) -> list[dict[str, Any]]:
    """Give each part of an incident's score; one that is not known says so and counts nothing."""
    values: dict[str, float | None] = {
        "danger": incident.danger,
        "customers_out": incident.properties_out,
        "critical": incident.critical_out,
        "diameter": incident.diameter_mm,
        "road": incident.road_kmh,
        "spreading": incident.is_spreading,
        "hydrants_dry": incident.hydrants_dry,
    }
    parts = []
    for weight in weights:
        value = values.get(weight.part)
        points = 0.0 if value is None else min(weight.most, weight.points * value / weight.per)
        value = None if value is None else round(float(value), 1)
        params = {"value": value, "road": incident.road_name}
        parts.append(
            {
                "code": weight.part,
                "points": round(points, 1),
                "params": params if weight.part == "road" else {"value": value},
            }
        )
    return parts


def close_incident(
    session: Session,
    incident_id: str,
    actor: Actor,
    now: dt.datetime,
    *,
    operation: Operation | None = None,
) -> Incident:
    """
    End an incident; whoever has something left to do about it refuses.

    Raises
    ------
    ConflictError
        If it is closed already, or an order or an outage of it is still open.
    """
    incident = _lock(session, incident_id)
    if not incident.is_open:
        raise ConflictError("%(incident)s is closed already.", incident=incident.id)
    _tell(session, "incident.closing", incident, actor, now, operation=operation)
    after = _change(
        session, incident, {"status": "closed", "closed_at": now, "closed_by": actor.name}
    )
    _tell(session, "incident.closed", after, actor, now, operation=operation)
    return after


def reopen_incident(
    session: Session,
    incident_id: str,
    actor: Actor,
    now: dt.datetime,
    *,
    operation: Operation | None = None,
) -> Incident:
    """
    Open an incident again that was not over.

    Raises
    ------
    ConflictError
        If it is open, or another one is open in its segment.
    """
    incident = _lock(session, incident_id)
    if incident.is_open:
        raise ConflictError("%(incident)s is open already.", incident=incident.id)
    lock = queries.fetch_zone_lock(session, incident.key)
    holder = queries.fetch_lock_holder(session, lock) if lock else None
    if holder is not None:
        raise ConflictError(
            "%(incident)s is open already where the same valves would be closed. Link to it, or"
            " say that this is another one.",
            incident=holder.id,
        )
    after = _change(session, incident, {"status": "open", "closed_at": None, "closed_by": None})
    _tell(session, "incident.reopened", after, actor, now, operation=operation)
    return after


def _change(session: Session, incident: Incident, changed: Mapping[str, Any]) -> Incident:
    version = incident.version + 1
    return queries.update_incident(
        session,
        incident.key,
        {
            **changed,
            "version": version,
            "changed_in": incident.changed_in | dict.fromkeys(changed, version),
        },
    )


def apply_operation(
    session: Session, operation: Operation, actor: Actor, now: dt.datetime
) -> Outcome:
    """Do what somebody wants done to an incident: change, close, reopen or tell_fire_service."""
    try:
        _check_changer(actor)
        incident = _lock(session, operation.subject_id)
        with session.begin_nested():
            return _apply(session, incident, operation, actor, now)
    except ForbiddenError as error:
        return Outcome(status="forbidden", message=error.msgid, params=error.params)
    except FieldopsError as error:
        return Outcome(status="illegal", message=error.msgid, params=error.params)


def _check_changer(actor: Actor) -> None:
    if not actor.roles & CHANGERS:
        raise ForbiddenError("Your roles do not allow this.")


def _apply(
    session: Session, incident: Incident, operation: Operation, actor: Actor, now: dt.datetime
) -> Outcome:
    conflicts: Mapping[str, Any] = {}
    if operation.action == "close":
        after = close_incident(session, incident.id, actor, now, operation=operation)
    elif operation.action == "reopen":
        after = reopen_incident(session, incident.id, actor, now, operation=operation)
    elif operation.action == "tell_fire_service":
        after = _tell_fire_service(session, incident, operation, actor, now)
    elif operation.action == "change":
        after, conflicts = _merge(session, incident, operation, actor, now)
    else:
        raise FieldopsError("An incident knows no action %(action)s.", action=operation.action)
    status = "applied"
    if conflicts:
        status = "conflict" if after.version == incident.version else "applied_with_conflict"
    return Outcome(status=status, version=after.version, state=after.status, conflicts=conflicts)


def _merge(
    session: Session, incident: Incident, operation: Operation, actor: Actor, now: dt.datetime
) -> tuple[Incident, Mapping[str, Any]]:
    wanted = read_change(ChangeBody, operation.body)
    if wanted.get("kind", incident.kind) not in KINDS:
        raise FieldopsError("There is no kind of incident %(kind)s.", kind=wanted["kind"])
    current = {name: getattr(incident, name) for name in wanted}
    merged = merge_fields(current, incident.changed_in, operation.base_version, wanted)
    changed = {name: value for name, value in merged.applied.items() if current[name] != value}
    if not changed:
        return incident, merged.conflicts
    after = _weigh(session, incident, changed)
    _tell(session, "incident.changed", after, actor, now, operation=operation, more=changed)
    return after, merged.conflicts


def _tell_fire_service(
    session: Session, incident: Incident, operation: Operation, actor: Actor, now: dt.datetime
) -> Incident:
    values = {"fire_service_told_at": now, "fire_service_told_by": actor.name}
    after = _change(session, incident, values)
    _tell(session, "incident.fire_service_told", after, actor, now, operation=operation)
    return after


def _tell(
    session: Session,
    kind: str,
    incident: Incident,
    actor: Actor,
    now: dt.datetime,
    *,
    operation: Operation | None = None,
    more: Mapping[str, Any] | None = None,
) -> None:
    body = {
        "id": incident.id,
        "state": incident.status,
        "version": incident.version,
        "kind": incident.kind,
        "score": incident.score,
        "lon": incident.lon,
        "lat": incident.lat,
        "address": incident.address,
        "properties_out": incident.properties_out,
        "critical_out": incident.critical_out,
        "hydrants_dry": incident.hydrants_dry,
        "is_fire_service_due": incident.is_fire_service_due,
        **(more or {}),
    }
    append_event(
        session,
        kind,
        ("incident", incident.key),
        by=actor,
        now=now,
        body=body,
        occurred_at=operation.occurred_at if operation else None,
        op_id=operation.op_id if operation else None,
    )


def find_pipe_key(session: Session, pipe: str) -> int:
    """
    Give the key of a pipe.

    Raises
    ------
    NotFoundError
        If there is none of this id.
    """
    key = queries.fetch_pipe_key(session, pipe)
    if key is None:
        raise NotFoundError("There is no pipe %(pipe)s.", pipe=pipe)
    return key
