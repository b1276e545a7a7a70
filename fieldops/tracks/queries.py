"""SQL about tracks."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - kept in dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from fieldops.tracks.models import TrackPart, TrackRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A way that somebody went; what is counted is known when all of it has come."""

    key: int
    id: str
    client_id: str
    name: str
    part_count: int
    person_id: int | None
    person_name: str
    device: str | None
    received_at: dt.datetime
    is_complete: bool
    point_count: int | None
    length_m: float | None
    begins_at: dt.datetime | None
    ends_at: dt.datetime | None


_TRACK = [getattr(TrackRow, name) for name in Track.__dataclass_fields__]


def insert_track(session: Session, values: Mapping[str, Any]) -> None:
    """Write a track unless one of its client's id is there."""
    session.execute(
        insert(TrackRow).values(**values).on_conflict_do_nothing(index_elements=["client_id"])
    )


def fetch_track(
    session: Session, *, track_id: str | None = None, client_id: str | None = None
) -> Track | None:
    """Read one track by its id, or by its client's and hold its row."""
    if track_id is not None:
        query = select(*_TRACK).where(TrackRow.id == track_id)
    else:
        query = select(*_TRACK).where(TrackRow.client_id == client_id).with_for_update()
    row = session.execute(query).one_or_none()
    return Track(**row._mapping) if row else None  # noqa: SLF001


def update_track(session: Session, key: int, **values: object) -> None:
    """Write what is known of a track that is complete."""
    session.execute(update(TrackRow).where(TrackRow.key == key).values(**values))


def delete_track(session: Session, key: int) -> None:
    """Forget a track and its parts."""
    session.execute(delete(TrackPart).where(TrackPart.track_key == key))
    session.execute(delete(TrackRow).where(TrackRow.key == key))


def fetch_tracks(
    session: Session, *, person_id: int | None = None, limit: int = 100
) -> list[Track]:
    """Read tracks, the latest first; of one person, or of all."""
    query = select(*_TRACK).order_by(TrackRow.received_at.desc(), TrackRow.key.desc()).limit(limit)
    if person_id is not None:
        query = query.where(TrackRow.person_id == person_id)
    return [Track(**row._mapping) for row in session.execute(query)]  # noqa: SLF001


def insert_part(session: Session, track_key: int, part: int, points: Sequence[Any]) -> None:
    """Keep a part of a track unless it is there."""
    session.execute(
        insert(TrackPart)
        .values(track_key=track_key, part=part, points=list(points))
        .on_conflict_do_nothing()
    )


def fetch_parts(session: Session, track_key: int) -> list[list[Any]]:
    """Read the parts of a track, in order."""
    query = select(TrackPart.points).where(TrackPart.track_key == track_key)
    return list(session.scalars(query.order_by(TrackPart.part)))


def count_parts(session: Session, track_key: int) -> int:
    """Count the parts of a track that have come."""
    query = select(func.count()).where(TrackPart.track_key == track_key)
    return int(session.execute(query).scalar_one())
