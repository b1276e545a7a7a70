"""SQL of receipts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, or_, select, text

from fieldops.receipts.models import ReceiptRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Somebody outside was told something, and answered."""

    key: int
    party: str
    topic: str
    incident_id: str | None
    outage_id: str | None
    pump_id: str | None
    answer: str
    how: str
    told_to: str
    told_at: dt.datetime
    person_name: str
    note: str | None
    is_drill: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageFacts:
    """What a receipt has to know of an outage: its incident, and whether it is a drill."""

    id: str
    incident_id: str | None
    is_drill: bool


_NAMES = tuple(Receipt.__slots__)


def fetch_receipts(
    session: Session,
    *,
    incident_ids: Sequence[str] = (),
    outage_ids: Sequence[str] = (),
    limit: int = 100,
) -> list[Receipt]:
    """Read what was told about some incidents or outages, the newest first."""
    query = (
        select(*(getattr(ReceiptRow, name) for name in _NAMES))
        .where(or_(ReceiptRow.incident_id.in_(incident_ids), ReceiptRow.outage_id.in_(outage_ids)))
        .order_by(ReceiptRow.told_at.desc(), ReceiptRow.key.desc())
        .limit(limit)
    )
    return [
        Receipt(**{**row, "told_at": row["told_at"].astimezone(dt.UTC)})
        for row in session.execute(query).mappings()
    ]


def fetch_last_answer(session: Session, pump_id: str, outage_id: str) -> str | None:
    """Read what the control room said last about stopping a pump for an outage."""
    query = (
        select(ReceiptRow.answer)
        .where(
            ReceiptRow.outage_id == outage_id,
            ReceiptRow.pump_id == pump_id,
            ReceiptRow.topic == "pump_stop",
        )
        .order_by(ReceiptRow.told_at.desc(), ReceiptRow.key.desc())
        .limit(1)
    )
    return session.execute(query).scalars().one_or_none()


def fetch_outage(session: Session, outage_id: str) -> OutageFacts | None:
    """Read what a receipt has to know of an outage."""
    query = text(
        "SELECT o.id, i.id AS incident_id, o.is_drill FROM outage o"
        " LEFT JOIN incident i ON i.key = o.incident_key WHERE o.id = :id"
    )
    row = session.execute(query, {"id": outage_id}).mappings().one_or_none()
    return None if row is None else OutageFacts(**row)


def is_pump_there(session: Session, pump_id: str) -> bool:
    """Tell whether the network has such a pump."""
    query = text("SELECT EXISTS (SELECT FROM pump WHERE id = :id)")
    return bool(session.execute(query, {"id": pump_id}).scalar_one())


def is_pump_of(session: Session, outage_key: int, device: str) -> bool:
    """Tell whether a device of an outage is a pump."""
    query = text(
        "SELECT EXISTS (SELECT FROM outage_valve WHERE outage_key = :key AND valve = :device"
        " AND device_table = 'pump')"
    )
    return bool(session.execute(query, {"key": outage_key, "device": device}).scalar_one())


def insert_receipt(session: Session, **values: object) -> int:
    """Write a receipt and give its key."""
    query = insert(ReceiptRow).values(**values).returning(ReceiptRow.key)
    return session.execute(query).scalar_one()
