"""SQL of offers to crews."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text, update

from fieldops.offers.models import DispatchOffer

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Offer:
    """A job that a crew was offered or ordered to do, and what came of it."""

    key: int
    id: str
    order_key: int
    crew_key: int
    kind: str
    status: str
    made_at: dt.datetime
    due_at: dt.datetime
    phone_asked_at: dt.datetime | None
    phoned_at: dt.datetime | None
    phone_answer: str | None
    phone_note: str | None
    phoned_by: str | None


_COLUMNS = [getattr(DispatchOffer, name) for name in Offer.__dataclass_fields__]


def insert_offer(
    session: Session, order_key: int, crew_key: int, *, is_emergency: bool, now: dt.datetime
) -> None:
    """Open an offer or an order, due by the settings; one statement, for many events tell of it."""
    session.execute(
        text(
            "INSERT INTO dispatch_offer (order_key, crew_key, kind, made_at, due_at)"
            " SELECT :order_key, :crew_key, :kind, :now, :now + make_interval(secs =>"
            " CASE :kind WHEN 'ordered' THEN phone_after_s ELSE offer_s END)"
            " FROM dispatch_setting"
        ),
        {
            "order_key": order_key,
            "crew_key": crew_key,
            "kind": "ordered" if is_emergency else "offered",
            "now": now,
        },
    )


def end_offer(session: Session, order_key: int, status: str, now: dt.datetime) -> None:
    """End the open offer of an order, if there is one."""
    session.execute(
        update(DispatchOffer)
        .where(DispatchOffer.order_key == order_key, DispatchOffer.status == "open")
        .values(status=status, ended_at=now)
    )


def lock_due_offers(session: Session, now: dt.datetime, limit: int) -> list[Offer]:
    """Read open offers past their time that nobody was told of yet; another sweep skips them."""
    rows = session.execute(
        select(*_COLUMNS)
        .where(
            DispatchOffer.status == "open",
            DispatchOffer.due_at <= now,
            DispatchOffer.phone_asked_at.is_(None),
        )
        .order_by(DispatchOffer.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [Offer(*row) for row in rows]


def fetch_open_offers(session: Session) -> list[Offer]:
    """Read what waits for an answer, the longest first."""
    rows = session.execute(
        select(*_COLUMNS).where(DispatchOffer.status == "open").order_by(DispatchOffer.due_at)
    )
    return [Offer(*row) for row in rows]


def lock_open_offer(session: Session, order_key: int) -> Offer | None:
    """Read and lock the open offer of an order."""
    row = session.execute(
        select(*_COLUMNS)
        .where(DispatchOffer.order_key == order_key, DispatchOffer.status == "open")
        .with_for_update()
    ).one_or_none()
    return None if row is None else Offer(*row)


def update_offer(session: Session, key: int, changes: dict[str, Any]) -> None:
    """Change what is recorded of an offer."""
    session.execute(update(DispatchOffer).where(DispatchOffer.key == key).values(**changes))


def fetch_refused(session: Session, order_keys: Collection[int]) -> set[tuple[int, int]]:
    """Read which crews declined a job or let its offer lapse, as (order key, crew key)."""
    rows = session.execute(
        select(DispatchOffer.order_key, DispatchOffer.crew_key).where(
            DispatchOffer.order_key.in_(order_keys),
            DispatchOffer.status.in_(("declined", "lapsed")),
        )
    )
    return {(row[0], row[1]) for row in rows}
