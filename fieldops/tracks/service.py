"""Tracks: kept in parts as they come, and measured when all of them are here."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fieldops.access import Role
from fieldops.errors import FieldopsError, ForbiddenError, NotFoundError
from fieldops.events.service import Outcome
from fieldops.network import service as network
from fieldops.tracks import queries
from gis.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from fieldops.access import Person
    from fieldops.events.service import Actor, Operation
    from fieldops.network.queries import DrawnPipe, DrawnValve
    from fieldops.tracks.queries import Track

POINTS_A_PART = 2000
PARTS_MOST = 500
MIDNIGHT_1980 = 315_532_800
"""No satellite told a time before."""
VIEW_M = 60.0
"""So far around a track its picture shows the network."""
LARGEST_VIEW_M = 5000.0
"""A wider piece of a town has more pipes than a picture can show."""


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
    """Keep a part of a track that a device sends."""
    if operation.action != "import":
        return Outcome(
            status="illegal",
            message="This knows no action %(action)s.",
            params={"action": operation.action},
        )
    try:
        body = TrackBody.model_validate(dict(operation.body))
    except ValidationError as error:
        fields = sorted({str(one["loc"][0]) for one in error.errors() if one["loc"]})
        return Outcome(
            status="illegal",
            message="These fields are missing or wrong: %(fields)s.",
            params={"fields": ", ".join(fields)},
        )
    track = keep_track_part(session, operation.subject_id, body, actor, now)
    if not track.is_complete:
        return Outcome(status="applied", id=track.id, state="incomplete")
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
    pipes, valves = network.list_drawn(session, _around(west, south, east, north))
    return track, ways, pipes, valves


def _around(
    west: float, south: float, east: float, north: float
) -> tuple[float, float, float, float]:
    low, high = (network.box_around(*at, VIEW_M) for at in ((west, south), (east, north)))
    return low[0], low[1], high[2], high[3]
