"""Telling the fire service and the plant control room, and keeping their receipt."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from fieldops.errors import ConflictError, FieldopsError, ForbiddenError, NotFoundError
from fieldops.events.service import Operation, append_event
from fieldops.incidents import service as incidents
from fieldops.receipts import queries
from fieldops.receipts.queries import Receipt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from fieldops.events.service import Actor, Event

__all__ = ["Receipt", "ReceiptDraft", "inform", "is_pump_stop_confirmed", "list_receipts"]

DESK = frozenset({"dispatcher", "manager", "admin", "system"})
CLOCK_AHEAD = dt.timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptDraft:
    """Who was told what, how, and what they answered."""

    party: str
    topic: str
    how: str
    told_to: str
    told_at: dt.datetime | None = None
    answer: str = "informed"
    incident_id: str | None = None
    outage_id: str | None = None
    pump_id: str | None = None
    note: str | None = None


def inform(session: Session, draft: ReceiptDraft, actor: Actor, now: dt.datetime) -> int:
    """
    Keep the receipt of what somebody outside was told, and give its key.

    Raises
    ------
    ForbiddenError
        If the person does not sit at the desk.
    FieldopsError
        If the receipt does not say enough, or is of the future.
    NotFoundError
        If there is no such incident, outage or pump.
    """
    if not actor.roles & DESK:
        raise ForbiddenError("Your roles do not allow this.")
    told_at = draft.told_at or now
    if told_at > now + CLOCK_AHEAD:
        raise FieldopsError("A receipt cannot be of the future.")
    incident_id, is_drill = _subject(session, draft)
    _check_pump(session, draft)
    values = asdict(draft) | {"incident_id": incident_id, "told_at": told_at}
    key = queries.insert_receipt(
        session,
        **values,
        is_drill=is_drill,
        person_id=actor.person_id,
        person_name=actor.name,
        recorded_at=now,
    )
    body = {**values, "id": f"N-{key}", "told_at": told_at.isoformat(), "is_drill": is_drill}
    append_event(
        session, "duty.informed", ("duty", key), by=actor, now=now, body=body, occurred_at=told_at
    )
    if draft.party == "fire_service" and draft.topic == "hydrants_dry" and incident_id:
        _mark_incident(session, incident_id, actor, now)
    return key


def is_pump_stop_confirmed(session: Session, pump_id: str, outage_id: str) -> bool:
    """Tell whether the control room has confirmed, and not taken back, that a pump may stop."""
    return queries.fetch_last_answer(session, pump_id, outage_id) == "confirmed"


def list_receipts(
    session: Session, *, incident_ids: Sequence[str] = (), outage_ids: Sequence[str] = ()
) -> list[Receipt]:
    """Give what was told about some incidents or outages, the newest first."""
    return queries.fetch_receipts(session, incident_ids=incident_ids, outage_ids=outage_ids)


def refuse_unconfirmed_stop(session: Session, event: Event) -> None:
    """
    Refuse that a pump is recorded as stopped before the control room has confirmed it.

    Raises
    ------
    ConflictError
        If it has not.
    """
    if event.body.get("result") not in {"closed_tight", "passing"}:
        return
    pump, outage = str(event.body.get("valve")), str(event.body["id"])
    if not queries.is_pump_of(session, event.subject_key, pump):
        return
    if not is_pump_stop_confirmed(session, pump, outage):
        raise ConflictError(
            "The pump %(pump)s is stopped only when the plant control room has confirmed it;"
            " record its receipt for %(outage)s first.",
            pump=pump,
            outage=outage,
        )


HANDLERS = {"outage.valve_confirmed": refuse_unconfirmed_stop}


def _subject(session: Session, draft: ReceiptDraft) -> tuple[str | None, bool]:
    """Find the incident of a receipt, and whether it is a drill's."""
    if draft.outage_id:
        outage = queries.fetch_outage(session, draft.outage_id)
        if outage is None:
            raise NotFoundError("There is no outage %(outage)s.", outage=draft.outage_id)
        return draft.incident_id or outage.incident_id, outage.is_drill
    if draft.incident_id:
        incident = incidents.find_incident(session, draft.incident_id)
        return incident.id, incident.is_drill
    raise FieldopsError("Say which incident or outage it is about.")


def _check_pump(session: Session, draft: ReceiptDraft) -> None:
    if draft.topic != "pump_stop":
        if draft.pump_id or draft.answer != "informed":
            raise FieldopsError("Only the stop of a pump is confirmed or refused.")
        return
    if draft.party != "control_room" or not (draft.pump_id and draft.outage_id):
        raise FieldopsError("The stop of a pump is asked of the control room, for an outage.")
    if draft.answer == "informed":
        raise FieldopsError("Say whether the control room confirms the stop or refuses it.")
    if not queries.is_pump_there(session, draft.pump_id):
        raise NotFoundError("There is no pump %(pump)s.", pump=draft.pump_id)


def _mark_incident(session: Session, incident_id: str, actor: Actor, now: dt.datetime) -> None:
    """Take the incident off the list of those that the fire service does not know."""
    if incidents.find_incident(session, incident_id).is_fire_service_due:
        told = Operation(
            subject_kind="incident", subject_id=incident_id, action="tell_fire_service"
        )
        incidents.apply_operation(session, told, actor, now)
