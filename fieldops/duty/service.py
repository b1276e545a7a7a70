"""The night desk: what is handed over, who is called out, and drills."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fieldops.crews.service import find_crew, list_on_call
from fieldops.duty import queries
from fieldops.duty.queries import Attempt, Handover, PhoneStep
from fieldops.emergencies import service as emergencies
from fieldops.errors import ConflictError, FieldopsError, ForbiddenError, NotFoundError
from fieldops.events.queries import fetch_head
from fieldops.events.service import SYSTEM, Operation, append_event
from fieldops.incidents import service as incidents
from fieldops.live_outages import service as live_outages
from fieldops.receipts.service import Receipt, is_pump_stop_confirmed
from fieldops.reports import service as reports
from fieldops.reports.service import ReportDraft
from fieldops.work_orders import service as work_orders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from fieldops.crews.queries import Crew
    from fieldops.emergencies.service import EmergencyView
    from fieldops.events.service import Actor
    from fieldops.incidents.service import Incident
    from fieldops.live_outages.service import LiveOutage
    from fieldops.reports.service import Opening

__all__ = ["Attempt", "Handover", "PhoneStep", "is_pump_stop_confirmed", "take_snapshot"]

DESK = frozenset({"dispatcher", "manager", "admin"})
ROUND = dt.timedelta(hours=12)
"""Attempts and crews that are coming count for so long."""
DRILL_OVER = "演练结束"
"""Why the orders of a drill are void: kept as data, in the words of the house."""
CLOCK_AHEAD = dt.timedelta(minutes=2)
SHUT = frozenset({"closed_tight", "passing", "will_not_reopen"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDraft:
    """An attempt to call a crew out."""

    crew_id: str
    result: str
    spoke_with: str | None = None
    note: str | None = None
    incident_id: str | None = None
    called_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class CallList:
    """Who is on call, in order, with the attempts of the last hours; `next_crew` comes next."""

    crews: list[Crew]
    attempts: list[Attempt]
    next_crew: str | None

    def last_attempt(self, crew_id: str) -> Attempt | None:
        """Give the last attempt on a crew."""
        return next((each for each in self.attempts if each.crew_id == crew_id), None)


@dataclass(frozen=True, slots=True)
class WaitingPump:
    """A pump to be stopped for an outage; the control room has to be asked first."""

    outage_id: str
    pump_id: str
    is_drill: bool


def take_snapshot(session: Session, now: dt.datetime) -> dict[str, Any]:
    """Write down what the next shift has to know: incidents, shut valves, promises, emergencies."""
    outages = live_outages.list_open(session)
    callers = queries.fetch_waiting_callers(session)
    return {
        "at": now.isoformat(),
        "incidents": [_incident(each) for each in incidents.list_open(session)],
        "outages": [_outage(each) for each in outages],
        "valves": [valve for each in outages for valve in _shut_valves(each)],
        "orders": queries.count_open_orders(session),
        "callers": [
            {
                "id": each.id,
                "status": each.status,
                "address": each.address,
                "incident": each.incident_id,
                "promise": each.promise,
                "first_contact_by": each.first_contact_by,
                "received_at": each.received_at.isoformat(),
            }
            for each in callers
        ],
        "emergencies": [_emergency(each) for each in emergencies.list_live(session)],
    }


def begin_handover(session: Session, remarks: str, actor: Actor, now: dt.datetime) -> Handover:
    """
    Write down how things stand, signed by the one who leaves.

    Raises
    ------
    ConflictError
        If a handover waits for its second signature already.
    """
    person_id = _check_desk(actor)
    handover = queries.insert_handover(
        session,
        leaving_person_id=person_id,
        leaving_name=actor.name,
        leaving_signed_at=now,
        snapshot=take_snapshot(session, now),
        position=fetch_head(session),
        remarks=remarks or None,
    )
    if handover is None:
        raise ConflictError("Another handover waits for its second signature already.")
    _tell(session, "duty.handover_begun", handover, actor, now)
    return handover


def sign_handover(
    session: Session, handover_id: str, remarks: str, actor: Actor, now: dt.datetime
) -> None:
    """
    Take over: the second signature, by somebody else than the first.

    Raises
    ------
    ConflictError
        If it was signed or withdrawn meanwhile.
    ForbiddenError
        If the one who leaves tries to sign for the other, too.
    """
    person_id = _check_desk(actor)
    handover = _lock_open(session, handover_id)
    if handover.leaving_person_id == person_id:
        raise ForbiddenError("The second signature is the other dispatcher's own.")
    queries.update_handover(
        session,
        handover.key,
        coming_person_id=person_id,
        coming_name=actor.name,
        coming_signed_at=now,
        coming_remarks=remarks or None,
    )
    _tell(session, "duty.handover_signed", handover, actor, now)


def withdraw_handover(session: Session, handover_id: str, actor: Actor, now: dt.datetime) -> None:
    """
    Take a handover back that nobody has taken over; it stays in the log.

    Raises
    ------
    ForbiddenError
        If somebody else has begun it.
    """
    person_id = _check_desk(actor)
    handover = _lock_open(session, handover_id)
    if handover.leaving_person_id != person_id:
        raise ForbiddenError("Only who has begun a handover takes it back.")
    queries.update_handover(session, handover.key, withdrawn_at=now)
    _tell(session, "duty.handover_withdrawn", handover, actor, now)


def find_handover(session: Session, handover_id: str) -> Handover:
    """
    Give a handover.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    handover = queries.fetch_handover(session, handover_id)
    if handover is None:
        raise NotFoundError("There is no handover %(handover)s.", handover=handover_id)
    return handover


def list_calls(session: Session, now: dt.datetime) -> CallList:
    """Give who is on call in order, who was tried, and who is next."""
    crews = list_on_call(session, now)
    attempts = queries.fetch_attempts(session, now - ROUND)
    return CallList(crews, attempts, _next_crew(crews, attempts))


def _next_crew(crews: Sequence[Crew], attempts: Sequence[Attempt]) -> str | None:
    """
    Name the crew whose turn it is: the first in order that is not coming and was not tried yet.

    When all were tried the order begins anew; when one comes, a new round begins after it.
    """
    real = [each for each in attempts if not each.is_drill]
    coming = {each.crew_id for each in real if each.result == "coming"}
    tried: set[str] = set()
    for each in real:
        if each.result == "coming":
            break
        tried.add(each.crew_id)
    free = [crew.id for crew in crews if crew.id not in coming]
    untried = [crew_id for crew_id in free if crew_id not in tried]
    return next(iter(untried or free), None)


def record_call(session: Session, draft: CallDraft, actor: Actor, now: dt.datetime) -> None:
    """
    Record an attempt to call a crew out.

    Raises
    ------
    FieldopsError
        If it was out of turn and no reason is given, or is of the future.
    """
    person_id = _check_desk(actor)
    called_at = draft.called_at or now
    if called_at > now + CLOCK_AHEAD:
        raise FieldopsError("A call cannot be of the future.")
    crew = find_crew(session, draft.crew_id, now)
    is_drill = bool(
        draft.incident_id and incidents.find_incident(session, draft.incident_id).is_drill
    )
    calls = list_calls(session, now)
    is_out_of_turn = crew.id != calls.next_crew and not is_drill
    if is_out_of_turn and not draft.note:
        raise FieldopsError(
            "It is not the turn of %(crew)s: say why it is called before the others.",
            crew=crew.name,
        )
    key = queries.insert_attempt(
        session,
        crew_key=crew.key,
        rank=crew.on_call_rank,
        incident_id=draft.incident_id,
        result=draft.result,
        spoke_with=draft.spoke_with,
        note=draft.note,
        is_out_of_turn=is_out_of_turn,
        is_drill=is_drill,
        person_id=person_id,
        person_name=actor.name,
        called_at=called_at,
        recorded_at=now,
    )
    body = {
        "id": crew.id,
        "result": draft.result,
        "incident": draft.incident_id,
        "is_out_of_turn": is_out_of_turn,
        "note": draft.note,
        "is_drill": is_drill,
    }
    append_event(
        session,
        "duty.crew_called",
        ("duty", key),
        by=actor,
        now=now,
        body=body,
        occurred_at=called_at,
    )


def list_waiting_pumps(
    outages: Sequence[LiveOutage], receipts: Sequence[Receipt]
) -> list[WaitingPump]:
    """Give the pumps that outages are to stop, and that the control room has not confirmed."""
    last = {}
    for each in reversed(receipts):
        if each.topic == "pump_stop":
            last[each.outage_id, each.pump_id] = each.answer
    return [
        WaitingPump(live.id, valve.valve, live.outage.is_drill)
        for live in outages
        for valve in live.valves
        if valve.device_table == "pump"
        and valve.state == "to_close"
        and last.get((live.id, valve.valve)) != "confirmed"
    ]


def begin_drill(session: Session, kind: str, pipe: str, actor: Actor, now: dt.datetime) -> Opening:
    """
    Take in a report for practice: it goes its way like any other, and nothing leaves.

    Raises
    ------
    ConflictError
        If something real is under way there.
    """
    _check_desk(actor)
    draft = ReportDraft(kind=kind, pipe=pipe, is_drill=True)
    report = reports.register_report(session, draft, actor, now).report
    opened = reports.open_incident_for(session, report.id, actor, now)
    if not opened.incident.is_drill:
        raise ConflictError(
            "%(incident)s is real and open at that place: practise elsewhere.",
            incident=opened.incident.id,
        )
    return opened


def end_drill(session: Session, incident_id: str, actor: Actor, now: dt.datetime) -> None:
    """
    End a drill: its open orders are void, and its emergency ends with it.

    Raises
    ------
    ConflictError
        If it is no drill, or an outage of it is open.
    """
    _check_desk(actor)
    incident = incidents.find_incident(session, incident_id)
    if not incident.is_drill:
        raise ConflictError("%(incident)s is no drill.", incident=incident.id)
    wanted = work_orders.Filter(incident_id=incident.id)
    for order in reversed(work_orders.list_orders(session, wanted)):
        operation = Operation(
            subject_kind="work_order",
            subject_id=order.id,
            action="cancel",
            body={"reason": f"{DRILL_OVER} ({actor.name})"},
        )
        outcome = work_orders.apply_operation(session, operation, SYSTEM, now)
        if outcome.status != "applied":
            raise ConflictError(outcome.message, **outcome.params)
    incidents.close_incident(session, incident.id, actor, now)


def list_drills(session: Session) -> list[Incident]:
    """Give the drills under way."""
    return [each for each in incidents.list_open(session) if each.is_drill]


def list_phone_steps(session: Session, now: dt.datetime) -> list[PhoneStep]:
    """Give the steps that the desk recorded in the last hours for somebody outside."""
    return queries.fetch_phone_steps(session, now - ROUND)


def _incident(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "kind": incident.kind,
        "address": incident.address,
        "score": incident.score,
        "properties_out": incident.properties_out,
        "critical_out": incident.critical_out,
        "is_fire_service_due": incident.is_fire_service_due,
        "is_drill": incident.is_drill,
        "opened_at": incident.opened_at.isoformat(),
    }


def _outage(live: LiveOutage) -> dict[str, Any]:
    outage = live.outage
    return {
        "id": live.id,
        "status": live.status,
        "incident": live.incident_id,
        "is_planned": outage.is_planned,
        "is_drill": outage.is_drill,
        "properties_out": outage.properties_out,
        "restored": live.restored,
        "promised_by": outage.promised_by and outage.promised_by.isoformat(),
        "next_news_at": outage.next_news_at and outage.next_news_at.isoformat(),
    }


def _shut_valves(live: LiveOutage) -> list[dict[str, Any]]:
    numbers = {tag.valve: tag.number for tag in live.tags}
    return [
        {
            "valve": valve.valve,
            "outage": live.id,
            "state": valve.state,
            "tag": numbers.get(valve.valve),
            "closed_at": valve.closed_at and valve.closed_at.isoformat(),
            "closed_by": valve.closed_by,
            "is_drill": live.outage.is_drill,
        }
        for valve in live.valves
        if valve.state in SHUT or valve.valve in numbers
    ]


def _emergency(view: EmergencyView) -> dict[str, Any]:
    emergency, pending = view.emergency, view.pending
    return {
        "id": emergency.id,
        "incident": emergency.incident_id,
        "level": emergency.level,
        "status": emergency.status,
        "duty_leader": emergency.duty_leader,
        "unacknowledged": [call.name for call in view.unacknowledged],
        "report": pending and pending.kind,
        "report_due_at": pending and pending.due_at.isoformat(),
        "is_drill": emergency.is_drill,
    }


def _check_desk(actor: Actor) -> int:
    if actor.person_id is None or not actor.roles & DESK:
        raise ForbiddenError("Your roles do not allow this.")
    return actor.person_id


def _lock_open(session: Session, handover_id: str) -> Handover:
    handover = queries.fetch_handover(session, handover_id, is_locking=True)
    if handover is None:
        raise NotFoundError("There is no handover %(handover)s.", handover=handover_id)
    if not handover.is_open:
        raise ConflictError("%(handover)s is signed or withdrawn already.", handover=handover.id)
    return handover


def _tell(session: Session, kind: str, handover: Handover, actor: Actor, now: dt.datetime) -> None:
    body = {"id": handover.id, "leaving": handover.leaving_name}
    append_event(session, kind, ("duty", handover.key), by=actor, now=now, body=body)
