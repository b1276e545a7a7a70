"""SQL of the codes that dispatchers gave by phone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from fieldops.crews.models import CrewMember
from fieldops.devices.models import DeviceRow
from fieldops.live_supply.models import OutageRow
from fieldops.release_codes.models import ReleaseCode

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy import Select
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A code that was given; the digits themselves follow from the tablet's secret."""

    key: int
    device_id: str
    device_name: str
    secret: bytes
    outage_id: str
    valve: str
    window_number: int
    asked_by: str
    given_at: dt.datetime
    given_by: str
    given_by_id: int
    effect: dict[str, Any]
    used_at: dt.datetime | None
    used_by: str | None


_SAME = (
    ReleaseCode.key,
    ReleaseCode.valve,
    ReleaseCode.window_number,
    ReleaseCode.asked_by,
    ReleaseCode.given_at,
    ReleaseCode.given_by,
    ReleaseCode.given_by_id,
    ReleaseCode.effect,
    ReleaseCode.used_at,
    ReleaseCode.used_by,
)


def _select() -> Select[Any]:
    return (
        select(
            *_SAME,
            DeviceRow.id.label("device_id"),
            DeviceRow.name.label("device_name"),
            DeviceRow.secret,
            OutageRow.id.label("outage_id"),
        )
        .join(DeviceRow, DeviceRow.key == ReleaseCode.device_key)
        .join(OutageRow, OutageRow.key == ReleaseCode.outage_key)
    )


def insert_given(session: Session, **values: object) -> int:
    """Write down that a code was given."""
    return session.execute(
        insert(ReleaseCode).values(**values).returning(ReleaseCode.key)
    ).scalar_one()


def fetch_given(session: Session, key: int) -> Given | None:
    """Read one code."""
    row = session.execute(_select().where(ReleaseCode.key == key)).mappings().one_or_none()
    return None if row is None else Given(**row)


def fetch_of_valve(session: Session, device_id: str, outage_key: int, valve: str) -> list[Given]:
    """Read the codes of a valve that were given to a tablet, the newest first."""
    query = _select().where(
        DeviceRow.id == device_id, ReleaseCode.outage_key == outage_key, ReleaseCode.valve == valve
    )
    rows = session.execute(query.order_by(ReleaseCode.key.desc())).mappings()
    return [Given(**row) for row in rows]


def fetch_latest(session: Session, limit: int) -> list[Given]:
    """Read the codes given of late, the newest first."""
    rows = session.execute(_select().order_by(ReleaseCode.key.desc()).limit(limit)).mappings()
    return [Given(**row) for row in rows]


def update_used(session: Session, key: int, at: dt.datetime, by: str) -> None:
    """Note when a code was used, and by whom."""
    session.execute(
        update(ReleaseCode).where(ReleaseCode.key == key).values(used_at=at, used_by=by)
    )


def is_tablet(session: Session, device_id: str) -> bool:
    """Tell whether a device is a tablet that was signed in on here."""
    return (
        session.execute(select(DeviceRow.key).where(DeviceRow.id == device_id)).first() is not None
    )


def fetch_members(session: Session, crew_keys: Sequence[int]) -> set[int]:
    """Read who, with an account, belongs to some crews now."""
    query = select(CrewMember.person_id).where(
        CrewMember.crew_key.in_(crew_keys),
        CrewMember.is_active,
        CrewMember.person_id.is_not(None),
    )
    return {one for one in session.scalars(query) if one is not None}
