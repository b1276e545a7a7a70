"""SQL of offers to crews."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text, update

from fieldops.crews.models import CrewRow
from fieldops.offers.models import DispatchOffer
from fieldops.order_book.models import WorkOrderRow

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection

    from sqlalchemy import Select
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Offer:
    """A job that a crew was offered or ordered to do, and what came of it."""

    key: int
    id: str
    kind: str
    made_at: dt.datetime
    due_at: dt.datetime
    phone_asked_at: dt.datetime | None
    phoned_at: dt.datetime | None
    phone_answer: str | None
    phone_note: str | None
    phoned_by: str | None
    order_key: int
    order_id: str
    is_pinned: bool
    crew_key: int
    crew_id: str
    crew_name: str
    phone: str | None


def _select_open() -> Select[Any]:
    offer = (
        "key",
        "id",
        "kind",
        "made_at",
        "due_at",
        "phone_asked_at",
        "phoned_at",
        "phone_answer",
        "phone_note",
        "phoned_by",
        "order_key",
    )
    return (
        select(
            *(getattr(DispatchOffer, name) for name in offer),
            WorkOrderRow.id,
            WorkOrderRow.is_pinned,
            CrewRow.key,
            CrewRow.id,
            CrewRow.name,
            CrewRow.phone,
        )
        .join(WorkOrderRow, WorkOrderRow.key == DispatchOffer.order_key)
        .join(CrewRow, CrewRow.key == DispatchOffer.crew_key)
        .where(DispatchOffer.status == "open")
        .order_by(DispatchOffer.due_at)
    )


def insert_offer(session: Session, order_key: int, now: dt.datetime) -> None:
    """Offer an order to its crew or order it there; one statement, for many wait on it."""
    session.execute(
        text(
            "INSERT INTO dispatch_offer (order_key, crew_key, kind, made_at, due_at)"
            " SELECT o.key, o.crew_key, o.kind, :now, CAST(:now AS timestamptz)"
            " + make_interval(secs => CASE o.kind WHEN 'ordered' THEN s.phone_after_s"
            " ELSE s.offer_s END)"
            " FROM dispatch_setting s, (SELECT key, crew_key, CASE WHEN severity"
            " IN ('danger', 'burst') THEN 'ordered' ELSE 'offered' END AS kind"
            " FROM work_order WHERE key = :order_key AND crew_key IS NOT NULL) AS o"
        ),
        {"order_key": order_key, "now": now},
    )


def end_offer(session: Session, order_key: int, status: str, now: dt.datetime) -> None:
    """End the open offer of an order, if there is one."""
    session.execute(
        update(DispatchOffer)
        .where(DispatchOffer.order_key == order_key, DispatchOffer.status == "open")
        .values(status=status, ended_at=now)
    )


def lock_due(session: Session, now: dt.datetime, limit: int) -> list[Offer]:
    """Read open offers past their time that nobody was told of yet; another sweep skips them."""
    rows = session.execute(
        _select_open()
        .where(DispatchOffer.due_at <= now, DispatchOffer.phone_asked_at.is_(None))
        .limit(limit)
        .with_for_update(of=DispatchOffer, skip_locked=True)
    )
    return [Offer(*row) for row in rows]


def fetch_open(session: Session) -> list[Offer]:
    """Read what waits for an answer, the longest first."""
    return [Offer(*row) for row in session.execute(_select_open())]


def lock_open(session: Session, order_key: int) -> Offer | None:
    """Read and lock the open offer of an order."""
    row = session.execute(
        _select_open().where(DispatchOffer.order_key == order_key).with_for_update(of=DispatchOffer)
    ).one_or_none()
    return None if row is None else Offer(*row)


def update_offer(session: Session, key: int, changes: dict[str, Any]) -> None:
    """Change what is recorded of an offer."""
    session.execute(update(DispatchOffer).where(DispatchOffer.key == key).values(**changes))


def fetch_phone_after_s(session: Session) -> float:
    """Read after how many seconds an unanswered order is phoned after."""
    query = text("SELECT phone_after_s FROM dispatch_setting")
    return float(session.execute(query).scalar_one())


def fetch_refused(session: Session, order_keys: Collection[int]) -> set[tuple[int, int]]:
    """Read which crews declined a job or let its offer lapse, as (order key, crew key)."""
    rows = session.execute(
        select(DispatchOffer.order_key, DispatchOffer.crew_key).where(
            DispatchOffer.order_key.in_(order_keys),
            DispatchOffer.status.in_(("declined", "lapsed")),
        )
    )
    return {(row[0], row[1]) for row in rows}
