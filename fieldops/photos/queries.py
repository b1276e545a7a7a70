"""SQL about photos."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - kept in dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert

from fieldops.photos.models import PhotoPiece, PhotoRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """What is known of a photo; time and place are what the camera claims."""

    sha256: str
    width_px: int
    height_px: int
    claimed_at: dt.datetime | None
    claimed_lon: float | None
    claimed_lat: float | None
    received_at: dt.datetime
    original_sha256: str | None


_COLUMNS = [getattr(PhotoRow, name) for name in Photo.__dataclass_fields__]


def insert_photo(session: Session, values: Mapping[str, Any]) -> None:
    """Write a photo unless it is there."""
    session.execute(
        insert(PhotoRow).values(**values).on_conflict_do_nothing(index_elements=["sha256"])
    )


def fetch_photo(session: Session, sha256: str) -> Photo | None:
    """Read what is known of a photo."""
    row = session.execute(select(*_COLUMNS).where(PhotoRow.sha256 == sha256)).one_or_none()
    return Photo(**row._mapping) if row else None  # noqa: SLF001 - its public name


def fetch_known(session: Session, sha256s: Sequence[str]) -> set[str]:
    """Tell which of these photos are kept."""
    return set(session.scalars(select(PhotoRow.sha256).where(PhotoRow.sha256.in_(sha256s))))


def fetch_published(session: Session, sha256: str) -> bytes | None:
    """Read the picture that may be shown."""
    return session.scalar(select(PhotoRow.published).where(PhotoRow.sha256 == sha256))


def insert_piece(
    session: Session, sha256: str, first_byte: int, total_bytes: int, data: bytes, now: dt.datetime
) -> None:
    """Keep a piece until the rest comes."""
    session.execute(
        insert(PhotoPiece)
        .values(
            sha256=sha256,
            first_byte=first_byte,
            total_bytes=total_bytes,
            data=data,
            received_at=now,
        )
        .on_conflict_do_nothing()
    )


def count_received(session: Session, sha256: str) -> int:
    """Count the bytes of a photo that came in pieces; they come one after the other."""
    return int(
        session.scalar(
            select(func.coalesce(func.sum(func.length(PhotoPiece.data)), 0)).where(
                PhotoPiece.sha256 == sha256
            )
        )
        or 0
    )


def lock_upload(session: Session, sha256: str) -> None:
    """Let only one sender at a time go on with a photo."""
    key = int(sha256[:15], 16)
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def join_pieces(session: Session, sha256: str) -> bytes:
    """Read all pieces of a photo in order."""
    pieces = session.scalars(
        select(PhotoPiece.data).where(PhotoPiece.sha256 == sha256).order_by(PhotoPiece.first_byte)
    ).all()
    return b"".join(pieces)


def delete_pieces(session: Session, sha256: str) -> None:
    """Forget the pieces of a photo."""
    session.execute(delete(PhotoPiece).where(PhotoPiece.sha256 == sha256))


def delete_old_pieces(session: Session, before: dt.datetime) -> None:
    """Forget photos whose rest never came."""
    session.execute(delete(PhotoPiece).where(PhotoPiece.received_at < before))
