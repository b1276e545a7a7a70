"""What crews say is drawn wrong: kept, decided by a person, and then changed on the map."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fieldops.access import Role
from fieldops.errors import ConflictError, FieldopsError, ForbiddenError, NotFoundError
from fieldops.events.service import Outcome, append_event
from fieldops.map_proposals import queries
from fieldops.network import service as network
from fieldops.network.service import FactsWish
from fieldops.photos import service as photos
from gis.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from fieldops.access import Person
    from fieldops.events.service import Actor, Operation
    from fieldops.map_proposals.queries import Proposal, Track
    from fieldops.network.queries import DrawnPipe, DrawnValve
    from fieldops.network.service import PipePlace

PHOTOS_MOST = 6
OUTCOMES_MOST = 40
POINTS_A_PART = 2000
PARTS_MOST = 500
VIEW_M = 60.0
"""So far around a proposal its picture shows the network."""
MIDNIGHT_1980 = 315_532_800
"""No satellite told a time before."""

Text = Field(default=None, min_length=1, max_length=200)


class Facts(BaseModel):
    """What a valve or pipe really is, as far as somebody saw it."""

    model_config = ConfigDict(extra="forbid")

    position: Literal["open", "closed", "unknown"] | None = None
    operability: Literal["operable", "inoperable", "unknown"] | None = None
    reachable: bool | None = None
    turns: float | None = Field(default=None, ge=0, le=10_000, allow_inf_nan=False)
    closes: Literal["clockwise", "anticlockwise", "unknown"] | None = None
    diameter_mm: float | None = Field(default=None, gt=0, le=10_000, allow_inf_nan=False)
    valve_type: str | None = Field(default=None, max_length=100)
    material: str | None = Field(default=None, max_length=100)


class Wish(BaseModel):
    """A proposal as a device sends it."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["moved", "missing", "not_there", "wrong_fact"]
    feature: str | None = Text
    feature_kind: Literal["valve", "pipe"] = "valve"
    lon: float | None = Field(default=None, ge=-180, le=180, allow_inf_nan=False)
    lat: float | None = Field(default=None, ge=-90, le=90, allow_inf_nan=False)
    accuracy_m: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    facts: Facts = Facts()
    note: str = Field(default="", max_length=2000)
    photo_sha256: list[str] = Field(default_factory=list, max_length=PHOTOS_MOST)
    order: str | None = Text
    geometry_revision: int | None = Field(default=None, ge=0, lt=2**63)


class TrackBody(BaseModel):
    """A part of a track as a device sends it; a point is [lon, lat, second or null]."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    part: int = Field(ge=0, lt=PARTS_MOST)
    parts: int = Field(ge=1, le=PARTS_MOST)
    points: list[tuple[float, float, float | None] | None] = Field(max_length=POINTS_A_PART)


Point = tuple[float, float, "float | None"]


def apply_operation(
    session: Session, operation: Operation, actor: Actor, now: dt.datetime
) -> Outcome:
    """Do what a device asks: propose something, take that back, or keep a part of a track."""
    act = _ACTIONS.get((operation.subject_kind, operation.action))
    if act is None:
        return Outcome(
            status="illegal",
            message="This knows no action %(action)s.",
            params={"action": operation.action},
        )
    try:
        return act(session, operation, actor, now)
    except ValidationError as error:
        fields = sorted({str(one["loc"][0]) for one in error.errors() if one["loc"]})
        return Outcome(
            status="illegal",
            message="These fields are missing or wrong: %(fields)s.",
            params={"fields": ", ".join(fields)},
        )


def _apply_propose(
    session: Session, operation: Operation, actor: Actor, now: dt.datetime
) -> Outcome:
    wish = Wish.model_validate(dict(operation.body))
    proposal = propose(session, operation.subject_id, wish, actor, now, operation=operation)
    return Outcome(
        status="applied",
        id=proposal.id,
        state=proposal.status,
        message="Kept as %(proposal)s; a person looks at it.",
        params={"proposal": proposal.id},
    )


def propose(
    session: Session,
    client_id: str,
    wish: Wish,
    actor: Actor,
    now: dt.datetime,
    *,
    operation: Operation | None = None,
) -> Proposal:
    """
    Keep what somebody saw; the map stays as it is until a person approves.

    A valve that the map does not know is kept, too: whoever decides sees that it is not there.

    Raises
    ------
    FieldopsError
        If it names no feature or place where it needs one.
    """
    _check(wish)
    drawn = None
    if wish.feature is not None and wish.feature_kind == "valve":
        drawn = network.find_drawn_valve(session, wish.feature)
    proposal = queries.insert_proposal(
        session,
        {
            "client_id": client_id,
            "kind": wish.kind,
            "feature_kind": wish.feature_kind,
            "feature_id": wish.feature,
            "lon": wish.lon,
            "lat": wish.lat,
            "accuracy_m": wish.accuracy_m,
            "was_lon": drawn.lon if drawn else None,
            "was_lat": drawn.lat if drawn else None,
            "facts": wish.facts.model_dump(exclude_none=True),
            "note": wish.note.strip(),
            "photo_sha256": wish.photo_sha256,
            "order_id": wish.order,
            "geometry_revision": wish.geometry_revision,
            "device": actor.device,
            "proposed_by_id": actor.person_id,
            "proposed_by": actor.by_phone_for or actor.name,
            "occurred_at": (operation.done_at if operation else None) or now,
            "received_at": now,
        },
    )
    if proposal is None:
        raise ConflictError("This proposal is kept already.")
    _tell(session, "map_proposal.proposed", proposal, actor, now, operation=operation)
    return proposal


def _check(wish: Wish) -> None:
    if (wish.lon is None) != (wish.lat is None):
        raise FieldopsError("Say where it is: a place on the map, or a pipe.")
    if wish.kind in {"moved", "missing"} and wish.lon is None:
        raise FieldopsError("Say where it really is.")
    if (wish.kind == "missing") != (wish.feature is None):
        raise FieldopsError("Say which valve or pipe it is about.")
    if wish.kind != "wrong_fact" and wish.feature_kind != "valve":
        raise FieldopsError("Only valves are moved, added or taken off here.")
    is_silent = not wish.note.strip() and not wish.facts.model_dump(exclude_none=True)
    if wish.kind == "wrong_fact" and is_silent:
        raise FieldopsError("Say what is wrong.")


def _apply_withdraw(
    session: Session, operation: Operation, actor: Actor, now: dt.datetime
) -> Outcome:
    proposal = queries.fetch_proposal(session, client_id=operation.subject_id, is_locking=True)
    if proposal is None:
        raise NotFoundError("There is no such proposal.")
    if proposal.proposed_by_id != actor.person_id:
        raise ForbiddenError("Only %(person)s may take it back.", person=proposal.proposed_by)
    _check_open(proposal)
    after = _decide(session, proposal, "withdrawn", actor, now)
    _tell(session, "map_proposal.withdrawn", after, actor, now, operation=operation)
    return Outcome(status="applied", state=after.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How a person approves: `seen` is the edit of the valve that the person had in view."""

    seen: int | None = None
    pipe: str | None = None
    valve: str | None = None
    """The number of a valve that nobody had drawn."""


def approve(
    session: Session, proposal_id: str, decision: Decision, actor: Actor, now: dt.datetime
) -> Proposal:
    """
    Change the map as proposed, with who and when, in this same transaction.

    Raises
    ------
    NotFoundError
        If there is no such proposal, or no such valve any more.
    ForbiddenError
        If one approves what one has proposed oneself.
    ConflictError
        If it is decided already, or the valve was changed since the person looked.
    """
    proposal = _lock(session, proposal_id)
    if proposal.proposed_by_id is not None and proposal.proposed_by_id == actor.person_id:
        raise ForbiddenError("Somebody else has to approve what you have proposed.")
    if proposal.feature_id is not None and proposal.feature_kind == "valve":
        drawn = network.find_drawn_valve(session, proposal.feature_id)
        if drawn is not None and drawn.changed_in != decision.seen:
            raise ConflictError("The valve was changed meanwhile: look at it again.")
    _change_map(session, proposal, decision, actor, now)
    after = _decide(
        session, proposal, "approved", actor, now, edit_key=network.read_own_edit(session)
    )
    _tell(session, "map_proposal.approved", after, actor, now)
    return after


def _change_map(
    session: Session, proposal: Proposal, decision: Decision, actor: Actor, now: dt.datetime
) -> None:
    """Do what the proposal says; one that only says it in words is done by hand."""
    feature, by = proposal.feature_id or "", actor.name
    if proposal.kind == "not_there":
        network.mark_valve_absent(session, feature, by=by, now=now)
    elif proposal.kind == "wrong_fact":
        facts = dict(proposal.facts)
        network.correct_feature(session, proposal.feature_kind, feature, facts, by=by, now=now)
        daily = {n: facts[n] for n in ("position", "operability", "reachable") if n in facts}
        if daily and proposal.feature_kind == "valve":
            network.change_valve_facts(session, feature, FactsWish(**daily), by=by, now=now)
    else:
        assert proposal.lon is not None and proposal.lat is not None  # noqa: S101, PT018 - checked
        lon, lat = proposal.lon, proposal.lat
        if proposal.kind == "moved":
            network.move_valve(session, feature, lon, lat, pipe=decision.pipe, by=by, now=now)
        elif decision.valve is None:
            raise FieldopsError("Give the new valve a number.")
        else:
            valve = decision.valve
            network.add_valve(session, valve, lon, lat, pipe=decision.pipe, by=by, now=now)


def reject(
    session: Session, proposal_id: str, reason: str, actor: Actor, now: dt.datetime
) -> Proposal:
    """
    Leave the map as it is, and say why to whoever proposed.

    Raises
    ------
    FieldopsError
        If no reason is given.
    ConflictError
        If it is decided already.
    """
    if not reason.strip():
        raise FieldopsError("Say why: whoever proposed it reads it.")
    proposal = _lock(session, proposal_id)
    after = _decide(session, proposal, "rejected", actor, now, reason=reason.strip())
    _tell(session, "map_proposal.rejected", after, actor, now)
    return after


def _lock(session: Session, proposal_id: str) -> Proposal:
    proposal = find_proposal(session, proposal_id, is_locking=True)
    _check_open(proposal)
    return proposal


def _check_open(proposal: Proposal) -> None:
    if proposal.status != "open":
        raise ConflictError(
            "%(proposal)s was decided already, by %(person)s.",
            proposal=proposal.id,
            person=proposal.decided_by,
        )


def _decide(
    session: Session,
    proposal: Proposal,
    status: str,
    actor: Actor,
    now: dt.datetime,
    **more: object,
) -> Proposal:
    values = {
        "status": status,
        "decided_by_id": actor.person_id,
        "decided_by": actor.name,
        "decided_at": now,
        **more,
    }
    queries.update_proposal(session, proposal.key, **values)
    return find_proposal(session, proposal.id)


def _tell(
    session: Session,
    kind: str,
    proposal: Proposal,
    actor: Actor,
    now: dt.datetime,
    *,
    operation: Operation | None = None,
) -> None:
    body = {
        "id": proposal.id,
        "state": proposal.status,
        "kind": proposal.kind,
        "feature": proposal.feature_id,
        "lon": proposal.lon,
        "lat": proposal.lat,
        "proposed_by": proposal.proposed_by,
        "reason": proposal.reason,
    }
    append_event(
        session,
        kind,
        ("map_proposal", proposal.key),
        by=actor,
        now=now,
        body=body,
        occurred_at=operation.occurred_at if operation else None,
        op_id=operation.op_id if operation else None,
    )


def find_proposal(session: Session, proposal_id: str, *, is_locking: bool = False) -> Proposal:
    """
    Give one proposal.

    Raises
    ------
    NotFoundError
        If there is none of this id.
    """
    proposal = queries.fetch_proposal(session, proposal_id=proposal_id, is_locking=is_locking)
    if proposal is None:
        raise NotFoundError("There is no such proposal.")
    return proposal


def list_proposals(session: Session) -> tuple[list[Proposal], list[Proposal]]:
    """Give what waits for a person, the oldest first, and what was decided last."""
    waiting = queries.fetch_proposals(session, is_open=True)
    return waiting, queries.fetch_proposals(session, is_open=False, limit=50)


def list_outcomes(session: Session, person_id: int) -> list[dict[str, Any]]:
    """Tell somebody what became of the own proposals, those that wait first; ready for JSON."""
    return [
        {
            "id": one.id,
            "client_id": one.client_id,
            "kind": one.kind,
            "feature": one.feature_id,
            "feature_kind": one.feature_kind,
            "note": one.note,
            "status": one.status,
            "decided_by": one.decided_by,
            "decided_at": one.decided_at and one.decided_at.isoformat(),
            "reason": one.reason,
            "received_at": one.received_at.isoformat(),
        }
        for one in queries.fetch_own(session, person_id, OUTCOMES_MOST)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A proposal beside what is drawn now: all that whoever decides has to see."""

    proposal: Proposal
    drawn: DrawnValve | None
    distance_m: float | None
    """From where the valve is drawn now to where it is said to be."""
    places: list[PipePlace]
    pipes: list[DrawnPipe]
    valves: list[DrawnValve]
    photos_on_their_way: frozenset[str]


def look_at(session: Session, proposal_id: str) -> Look:
    """
    Give a proposal with the network around it.

    Raises
    ------
    NotFoundError
        If there is none of this id.
    """
    proposal = find_proposal(session, proposal_id)
    drawn = None
    if proposal.feature_id is not None and proposal.feature_kind == "valve":
        drawn = network.find_drawn_valve(session, proposal.feature_id)
    spots = [] if drawn is None else [(drawn.lon, drawn.lat)]
    places: list[PipePlace] = []
    distance_m = None
    if proposal.lon is not None and proposal.lat is not None:
        here = (proposal.lon, proposal.lat)
        if drawn is not None:
            distance_m = network.distance_m(drawn.lon, drawn.lat, *here)
        if proposal.kind in {"moved", "missing"}:
            places = network.list_pipe_places(session, *here)
        spots.append(here)
    pipes, valves = network.list_drawn(session, _around(spots, VIEW_M)) if spots else ([], [])
    return Look(
        proposal=proposal,
        drawn=drawn,
        distance_m=distance_m,
        places=places,
        pipes=pipes,
        valves=valves,
        photos_on_their_way=frozenset(photos.list_missing(session, list(proposal.photo_sha256))),
    )


def _around(
    spots: Sequence[tuple[float, float]], margin_m: float
) -> tuple[float, float, float, float]:
    boxes = [network.box_around(lon, lat, margin_m) for lon, lat in spots]
    west, south, east, north = zip(*boxes, strict=True)
    return min(west), min(south), max(east), max(north)


# --- tracks ---


def _apply_track(session: Session, operation: Operation, actor: Actor, now: dt.datetime) -> Outcome:
    body = TrackBody.model_validate(dict(operation.body))
    track = keep_track_part(session, operation.subject_id, body, actor, now)
    if not track.is_complete:
        return Outcome(status="applied", state="incomplete")
    return Outcome(
        status="applied",
        id=track.id,
        state="complete",
        message="The track is kept as %(track)s.",
        params={"track": track.id},
    )


def keep_track_part(
    session: Session, client_id: str, body: TrackBody, actor: Actor, now: dt.datetime
) -> Track:
    """
    Keep a part of a track; with the last of them it is measured.

    Raises
    ------
    FieldopsError
        If a point is nowhere, or the track as a whole has no way in it.
    ForbiddenError
        If the track is somebody else's.
    """
    if body.part >= body.parts:
        raise FieldopsError("The track has no such part.")
    for point in body.points:
        _check_point(point)
    queries.insert_track(
        session,
        {
            "client_id": client_id,
            "name": body.name.strip() or client_id,
            "part_count": body.parts,
            "person_id": actor.person_id,
            "person_name": actor.by_phone_for or actor.name,
            "device": actor.device,
            "received_at": now,
        },
    )
    track = queries.fetch_track(session, client_id=client_id)
    assert track is not None  # noqa: S101 - just written, or there before
    if track.person_id != actor.person_id:
        raise ForbiddenError("The track is somebody else's.")
    if track.is_complete:
        return track
    queries.insert_part(session, track.key, body.part, body.points)
    if queries.count_parts(session, track.key) < track.part_count:
        return track
    queries.update_track(session, track.key, is_complete=True, **_measure(session, track))
    return find_track(session, track.id)


def keep_track(
    session: Session,
    client_id: str,
    parts: Sequence[TrackBody],
    actor: Actor,
    now: dt.datetime,
) -> Track:
    """Keep a whole track."""
    for part in parts:
        track = keep_track_part(session, client_id, part, actor, now)
    return track


def _check_point(point: Point | None) -> None:
    if point is None:
        return
    lon, lat, second = point
    is_somewhere = -180 <= lon <= 180 and -90 <= lat <= 90
    if not is_somewhere or (second is not None and not MIDNIGHT_1980 <= second < 2**33):
        raise FieldopsError("The track holds a point that is nowhere on earth, or at no time.")


def read_ways(session: Session, track: Track) -> list[list[Point]]:
    """Give the points of a track, each stretch without a gap for itself."""
    ways: list[list[Point]] = [[]]
    for part in queries.fetch_parts(session, track.key):
        for point in part:
            if point is None:
                ways.append([])
            else:
                ways[-1].append((point[0], point[1], point[2]))
    return [way for way in ways if way]


def _measure(session: Session, track: Track) -> dict[str, Any]:
    ways = read_ways(session, track)
    times = [second for way in ways for *_, second in way if second is not None]
    lines = [[(lon, lat) for lon, lat, _ in way] for way in ways if len(way) > 1]
    if not lines:
        raise FieldopsError("The track has no way in it: it needs two points at least.")
    return {
        "point_count": sum(map(len, ways)),
        "length_m": float(Lines.of(lines).length_m.sum()),
        "begins_at": dt.datetime.fromtimestamp(min(times), dt.UTC) if times else None,
        "ends_at": dt.datetime.fromtimestamp(max(times), dt.UTC) if times else None,
    }


def find_track(session: Session, track_id: str) -> Track:
    """
    Give one track.

    Raises
    ------
    NotFoundError
        If there is none of this id.
    """
    track = queries.fetch_track(session, track_id=track_id)
    if track is None:
        raise NotFoundError("There is no such track.")
    return track


def list_tracks(session: Session, person: Person) -> list[Track]:
    """Give the tracks, the latest first; who is of a crew alone sees the own."""
    own = person.id if person.roles == {Role.CREW} else None
    return queries.fetch_tracks(session, person_id=own)


def may_delete(track: Track, person: Person) -> bool:
    """Tell whether somebody may delete a track: the own, or a manager any."""
    return track.person_id == person.id or bool(person.roles & {Role.MANAGER, Role.ADMIN})


def delete_track(session: Session, track_id: str, person: Person) -> Track:
    """
    Forget a track.

    Raises
    ------
    NotFoundError
        If there is none of this id.
    ForbiddenError
        If it is another person's, and this one no manager.
    """
    track = find_track(session, track_id)
    if not may_delete(track, person):
        raise ForbiddenError("The track is somebody else's.")
    queries.delete_track(session, track.key)
    return track


def look_along(
    session: Session, track_id: str, person: Person
) -> tuple[Track, list[list[Point]], list[DrawnPipe], list[DrawnValve]]:
    """
    Give a track with its ways and the network around it; without the network where that is vast.

    Raises
    ------
    NotFoundError
        If there is none of this id.
    ForbiddenError
        If it is another's, and the person of a crew alone.
    """
    track = find_track(session, track_id)
    if person.roles == {Role.CREW} and track.person_id != person.id:
        raise ForbiddenError("The track is somebody else's.")
    ways = read_ways(session, track)
    spots = [(lon, lat) for way in ways for lon, lat, _ in way]
    if not spots:
        return track, ways, [], []
    west, south = min(lon for lon, _ in spots), min(lat for _, lat in spots)
    east, north = max(lon for lon, _ in spots), max(lat for _, lat in spots)
    if network.distance_m(west, south, east, north) > LARGEST_VIEW_M:
        return track, ways, [], []
    pipes, valves = network.list_drawn(session, _around([(west, south), (east, north)], VIEW_M))
    return track, ways, pipes, valves


LARGEST_VIEW_M = 5000.0
"""A wider piece of a town has more pipes than a picture can show."""

_ACTIONS = {
    ("map_proposal", "propose"): _apply_propose,
    ("map_proposal", "withdraw"): _apply_withdraw,
    ("track", "import"): _apply_track,
}
