"""
What a crew was offered or ordered to do, until it answers.

A routine job is offered and goes on to the next crew when nobody answers in time. An emergency is
ordered with a loud alarm: unanswered, the dispatcher is asked to phone, and records the answer.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from fieldops.errors import ConflictError
from fieldops.events.service import SYSTEM, append_event
from fieldops.offers import queries
from fieldops.offers.queries import Offer

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from fieldops.events.service import Actor, Event

__all__ = ["Offer", "list_open", "list_refused"]

MOST_AT_ONCE = 50
ENDS = {
    "work_order.accepted": "accepted",
    "work_order.departed": "accepted",
    "work_order.arrived": "accepted",
    "work_order.declined": "declined",
    "work_order.withdrawn": "withdrawn",
    "work_order.held": "withdrawn",
    "work_order.cancelled": "withdrawn",
}
"""What an open offer becomes when its order goes on."""


def open_offer(session: Session, event: Event) -> None:
    """Offer the job to the crew that it was assigned to, or order it there."""
    queries.end_offer(session, event.subject_key, "withdrawn", event.received_at)
    queries.insert_offer(session, event.subject_key, event.received_at)


def end_offer(session: Session, event: Event) -> None:
    """End an offer that was answered, or whose job is no more."""
    queries.end_offer(session, event.subject_key, ENDS[event.kind], event.received_at)


HANDLERS = {
    "work_order.assigned": open_offer,
    "work_order.transferred": open_offer,
    "work_order.handed_over": open_offer,
    **dict.fromkeys(ENDS, end_offer),
}


def list_open(session: Session) -> list[Offer]:
    """List what waits for an answer, the longest first."""
    return queries.fetch_open(session)


def list_refused(session: Session, order_keys: Collection[int]) -> set[tuple[int, int]]:
    """Tell which crews declined which jobs or let them lapse, by keys of order and crew."""
    return queries.fetch_refused(session, order_keys)


def take_due(session: Session, now: dt.datetime) -> list[Offer]:
    """Take the offers that nobody answered in time; they stay locked, so they are taken once."""
    return queries.lock_due(session, now, MOST_AT_ONCE)


def let_lapse(session: Session, offer: Offer, now: dt.datetime) -> None:
    """End an offer that nobody answered."""
    queries.end_offer(session, offer.order_key, "lapsed", now)
    append_event(
        session,
        "work_order.offer_lapsed",
        ("work_order", offer.order_key),
        by=SYSTEM,
        now=now,
        body={"id": offer.order_id, "crew": offer.crew_id},
    )


def ask_to_phone(session: Session, offer: Offer, now: dt.datetime) -> None:
    """Ask the dispatcher to phone a crew that does not answer."""
    queries.update_offer(session, offer.key, {"phone_asked_at": now})
    append_event(
        session,
        "work_order.phone_asked",
        ("work_order", offer.order_key),
        by=SYSTEM,
        now=now,
        body={
            "id": offer.order_id,
            "crew": offer.crew_id,
            "crew_name": offer.crew_name,
            "phone": offer.phone,
            "made_at": offer.made_at.isoformat(),
        },
    )


def record_phone_answer(
    session: Session, order_key: int, answer: str, note: str, actor: Actor, now: dt.datetime
) -> Offer:
    """
    Record what the crew said on the phone, or that nobody answered: then it is asked again.

    Raises
    ------
    ConflictError
        If nothing waits for this crew's answer any more.
    """
    offer = queries.lock_open(session, order_key)
    if offer is None:
        raise ConflictError("Nothing waits for an answer any more: the crew has answered itself.")
    changes = {
        "phoned_at": now,
        "phone_answer": answer,
        "phone_note": note or None,
        "phoned_by": actor.name,
    }
    if answer == "no_answer":
        again_s = queries.fetch_phone_after_s(session)
        changes |= {"phone_asked_at": None, "due_at": now + dt.timedelta(seconds=again_s)}
    queries.update_offer(session, offer.key, changes)
    append_event(
        session,
        "work_order.phone_answered",
        ("work_order", order_key),
        by=actor,
        now=now,
        body={
            "id": offer.order_id,
            "crew": offer.crew_id,
            "answer": answer,
            "note": note or None,
        },
    )
    return offer
