"""Emergency levels: judged by rules, raised at once, lowered and ended by people alone."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from fieldops.accounts.service import find_account_of_login
from fieldops.emergencies import queries
from fieldops.emergencies.queries import Call, Emergency, Entry, Level, Report, Rule
from fieldops.errors import ConflictError, FieldopsError, ForbiddenError, NotFoundError
from fieldops.events.service import SYSTEM, append_event
from fieldops.incidents.service import find_incident

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from fieldops.emergencies.queries import Met
    from fieldops.events.service import Actor, Event

__all__ = ["Call", "Emergency", "Entry", "Level", "Report", "Rule", "list_live"]

DESK = frozenset({"dispatcher", "manager", "admin", "system"})
KEEPERS = frozenset({"manager", "admin", "system"})
ROMAN = {1: "I", 2: "II", 3: "III", 4: "IV"}
LONGEST_TEXT = 4000


@dataclass(frozen=True, slots=True)
class EmergencyView:
    """An emergency with its calls and reports."""

    emergency: Emergency
    calls: list[Call]
    reports: list[Report]

    @property
    def pending(self) -> Report | None:
        """The report that is due next."""
        return next((report for report in self.reports if report.is_pending), None)

    @property
    def unacknowledged(self) -> list[Call]:
        """Who does not know yet."""
        return [call for call in self.calls if call.acknowledged_at is None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cause:
    """What makes an incident an emergency."""

    incident_key: int
    incident_id: str
    address: str | None
    is_drill: bool
    level: int
    reasons: list[dict[str, Any]] = field(default_factory=list)
    note: str | None = None


def judge_incident(session: Session, incident_key: int, now: dt.datetime) -> None:
    """
    Hold an incident against the rules, and begin or raise its emergency.

    The level only rises by itself: what is over is for people to say.
    """
    met = queries.fetch_met_rules(session, incident_key)
    if not met:
        return
    level = met[0].level
    last = queries.fetch_emergencies(session, of_incident=incident_key, is_locking=True, limit=1)
    found = [each for each in last if each.status == "open"]
    if last and not found and level >= last[0].worst_level:
        # People have ended it: it begins again only if it grows worse than it ever was.
        return
    if not found:
        cause = _Cause(
            incident_key=incident_key,
            incident_id=met[0].incident_id,
            address=met[0].address,
            is_drill=met[0].is_drill,
            level=level,
            reasons=_reasons(met),
        )
        _begin(session, cause, SYSTEM, now)
    elif level < found[0].worst_level:
        # Whom people have lowered stays so, unless it grows worse than it ever was.
        _set_level(session, found[0], level, SYSTEM, now, reasons=_reasons(met))
    else:
        _keep_reasons(session, found[0], _reasons(met), now)


def declare(
    session: Session, incident_id: str, level: int, note: str, actor: Actor, now: dt.datetime
) -> Emergency:
    """
    Declare an emergency that no rule has found.

    Raises
    ------
    ConflictError
        If the incident has one, or is closed.
    FieldopsError
        If no reason is given.
    """
    _check(actor, DESK)
    _check_level(level)
    if not note:
        raise FieldopsError("Say why the level changes.")
    incident = find_incident(session, incident_id)
    if not incident.is_open:
        raise ConflictError("%(incident)s is closed already.", incident=incident.id)
    cause = _Cause(
        incident_key=incident.key,
        incident_id=incident.id,
        address=incident.address,
        is_drill=incident.is_drill,
        level=level,
        note=note,
    )
    emergency = _begin(session, cause, actor, now)
    if emergency is None:
        raise ConflictError("%(incident)s is an emergency already.", incident=incident.id)
    return emergency


def set_level(
    session: Session, emergency_id: str, level: int, note: str, actor: Actor, now: dt.datetime
) -> None:
    """
    Raise or lower a level, with the reason.

    Raises
    ------
    ConflictError
        If the emergency is over.
    FieldopsError
        If no reason is given.
    """
    _check(actor, DESK)
    _check_level(level)
    if not note:
        raise FieldopsError("Say why the level changes.")
    emergency = _lock_open(session, emergency_id)
    if level != emergency.level:
        _set_level(session, emergency, level, actor, now, note=note)


def record_try(
    session: Session, emergency_id: str, call_key: int, note: str, actor: Actor, now: dt.datetime
) -> None:
    """Record that somebody of the phone tree was called and did not answer."""
    _check(actor, DESK)
    emergency, call = _find_call(session, emergency_id, call_key)
    queries.update_call(
        session,
        call.key,
        tries=call.tries + 1,
        last_tried_at=now,
        last_tried_by=actor.name,
        note=note or call.note,
    )
    _tell(session, "emergency.called", emergency, actor, now, name=call.name, tries=call.tries + 1)


def acknowledge(
    session: Session, emergency_id: str, call_key: int, note: str, actor: Actor, now: dt.datetime
) -> None:
    """
    Record that somebody of the phone tree knows: said on the phone, or pressed by themselves.

    Raises
    ------
    ConflictError
        If it was recorded before.
    """
    emergency, call = _find_call(session, emergency_id, call_key)
    is_own = call.person_id is not None and call.person_id == actor.person_id
    if not is_own:
        _check(actor, DESK)
    if call.acknowledged_at is not None:
        raise ConflictError("%(name)s has acknowledged already.", name=call.name)
    queries.update_call(
        session,
        call.key,
        acknowledged_at=now,
        acknowledged_by=actor.name,
        tries=call.tries + (not is_own),
        note=note or call.note,
    )
    if call.is_duty_leader and (emergency.duty_leader is None or call.level <= emergency.level):
        queries.update_emergency(session, emergency.key, duty_leader=call.name)
    _tell(session, "emergency.acknowledged", emergency, actor, now, name=call.name, is_own=is_own)


def send_report(
    session: Session, emergency_id: str, text: str, sent_to: str, actor: Actor, now: dt.datetime
) -> None:
    """
    Record the report that is due as sent; the next one's clock begins, or the emergency is over.

    Raises
    ------
    ConflictError
        If no report is due.
    FieldopsError
        If it says nothing.
    """
    _check(actor, DESK)
    if not text or len(text) > LONGEST_TEXT:
        raise FieldopsError("A report has 1 to %(most)s characters.", most=LONGEST_TEXT)
    emergency = _lock(session, emergency_id)
    reports = queries.fetch_reports(session, [emergency.key])
    due = next((report for report in reports if report.is_pending), None)
    if due is None:
        raise ConflictError("No report of %(emergency)s is due.", emergency=emergency.id)
    queries.update_report(
        session, due.key, sent_at=now, sent_by=actor.name, sent_to=sent_to or None, text=text
    )
    body: dict[str, Any] = {"report": due.kind, "number": due.number, "is_late": now > due.due_at}
    if due.kind == "final":
        queries.update_emergency(
            session, emergency.key, status="closed", closed_at=now, version=emergency.version + 1
        )
        body["status"] = "closed"
    else:
        times = queries.fetch_levels(session)[emergency.level]
        _due_next(session, emergency, "follow_up", due.number + 1, now, times.follow_up_every_min)
    _tell(session, "emergency.reported", emergency, actor, now, **body)


def stand_down(
    session: Session, emergency_id: str, note: str, actor: Actor, now: dt.datetime
) -> None:
    """
    End an emergency; its final report is due now, and no other.

    Raises
    ------
    ConflictError
        If it is over already, or its first report was never sent.
    FieldopsError
        If no reason is given.
    """
    _check(actor, DESK)
    if not note:
        raise FieldopsError("Say why the emergency is over.")
    emergency = _lock_open(session, emergency_id)
    reports = queries.fetch_reports(session, [emergency.key])
    if any(report.kind == "first" and report.is_pending for report in reports):
        raise ConflictError(
            "Send the first report of %(emergency)s before.", emergency=emergency.id
        )
    for report in reports:
        if report.is_pending:
            queries.update_report(session, report.key, cancelled_at=now)
    queries.update_emergency(
        session,
        emergency.key,
        status="stood_down",
        stood_down_at=now,
        stood_down_by=actor.name,
        stand_down_note=note,
        version=emergency.version + 1,
    )
    times = queries.fetch_levels(session)[emergency.worst_level]
    number = max((report.number for report in reports), default=0) + 1
    _due_next(session, emergency, "final", number, now, times.final_within_min)
    _tell(session, "emergency.stood_down", emergency, actor, now, status="stood_down", note=note)


def list_live(session: Session) -> list[EmergencyView]:
    """Give the emergencies whose final report is not sent yet, the worst first."""
    return _views(session, queries.fetch_emergencies(session, is_live=True))


def list_last(session: Session, limit: int = 20) -> list[Emergency]:
    """Give the last emergencies, drills too, the newest first."""
    return queries.fetch_emergencies(session, limit=limit)


def find_emergency(session: Session, emergency_id: str) -> EmergencyView:
    """
    Give an emergency with its calls and reports.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    found = queries.fetch_emergencies(session, emergency_id=emergency_id)
    if not found:
        raise NotFoundError("There is no emergency %(emergency)s.", emergency=emergency_id)
    return _views(session, found)[0]


def raise_overdue(session: Session, now: dt.datetime) -> int:
    """Tell of each call and report that nobody made in time, once, and count them."""
    found = queries.take_overdue(session, now)
    for each in found:
        append_event(
            session,
            f"emergency.{each.kind}_overdue",
            ("emergency", each.emergency_key),
            by=SYSTEM,
            now=now,
            body={
                "id": each.emergency_id,
                "what": each.what,
                "due_at": each.due_at.isoformat(),
                "is_drill": each.is_drill,
            },
        )
    return len(found)


def add_entry(
    session: Session, entry: Entry, actor: Actor, now: dt.datetime, *, login: str | None = None
) -> None:
    """Put somebody into the phone tree; whose account it is may acknowledge in person."""
    _check(actor, KEEPERS)
    _check_level(entry.level)
    values = asdict(entry)
    del values["key"]
    if login:
        values["person_id"] = find_account_of_login(session, login).id
    key = queries.insert_entry(session, **values)
    _tell_policy(session, actor, now, change="entry_added", entry=key, name=entry.name)


def end_entry(session: Session, key: int, actor: Actor, now: dt.datetime) -> None:
    """Take somebody out of the phone tree."""
    _check(actor, KEEPERS)
    if not queries.end_entry(session, key):
        raise NotFoundError("That is not in force any more.")
    _tell_policy(session, actor, now, change="entry_ended", entry=key)


def add_rule(session: Session, rule: Rule, actor: Actor, now: dt.datetime) -> None:
    """Put a rule in force; incidents are held against it when next something happens to them."""
    _check(actor, KEEPERS)
    _check_level(rule.level)
    values = asdict(rule)
    del values["key"]
    key = queries.insert_rule(session, **values)
    _tell_policy(session, actor, now, change="rule_added", rule=key)


def end_rule(session: Session, key: int, actor: Actor, now: dt.datetime) -> None:
    """Take a rule out of force."""
    _check(actor, KEEPERS)
    if not queries.end_rule(session, key):
        raise NotFoundError("That is not in force any more.")
    _tell_policy(session, actor, now, change="rule_ended", rule=key)


def change_level(session: Session, level: Level, actor: Actor, now: dt.datetime) -> None:
    """Set the times of a level, for what begins from now on."""
    _check(actor, KEEPERS)
    _check_level(level.level)
    queries.update_level(session, level)
    _tell_policy(session, actor, now, change="level", **asdict(level))


def _judge_incident(session: Session, event: Event) -> None:
    judge_incident(session, event.subject_key, event.received_at)


def _judge_outage(session: Session, event: Event) -> None:
    incident = event.body.get("incident")
    if incident:
        judge_incident(session, int(str(incident).removeprefix("I-")), event.received_at)


def _end_with_drill(session: Session, event: Event) -> None:
    """End the emergency of a drill with the drill: nobody waits for its final report."""
    now = event.received_at
    for found in queries.fetch_emergencies(session, open_of_incident=event.subject_key):
        if not found.is_drill:
            continue
        for report in queries.fetch_reports(session, [found.key]):
            if report.is_pending:
                queries.update_report(session, report.key, cancelled_at=now)
        queries.update_emergency(
            session,
            found.key,
            status="closed",
            stood_down_at=now,
            stood_down_by=event.person_name or SYSTEM.name,
            closed_at=now,
            version=found.version + 1,
        )
        _tell(session, "emergency.closed", found, SYSTEM, now, status="closed")


HANDLERS = {
    "incident.closed": _end_with_drill,
    "incident.opened": _judge_incident,
    "incident.scored": _judge_incident,
    "incident.changed": _judge_incident,
    "outage.replanned": _judge_outage,
    "outage.redrawn": _judge_outage,
}


def _begin(session: Session, cause: _Cause, actor: Actor, now: dt.datetime) -> Emergency | None:
    """Begin an emergency: whom to call and which report is due; None if there is one."""
    level = cause.level
    emergency = queries.insert_emergency(
        session,
        incident_key=cause.incident_key,
        incident_id=cause.incident_id,
        address=cause.address,
        level=level,
        worst_level=level,
        reasons=cause.reasons,
        is_drill=cause.is_drill,
        begun_at=now,
        level_at=now,
        level_by=actor.name,
        level_note=cause.note,
    )
    if emergency is None:
        return None
    _call_all(session, emergency, level, now)
    times = queries.fetch_levels(session)[level]
    _due_next(session, emergency, "first", 1, now, times.first_within_min)
    told = {"reasons": cause.reasons, "note": cause.note}
    _tell(session, "emergency.begun", emergency, actor, now, **told)
    return emergency


def _set_level(
    session: Session,
    emergency: Emergency,
    level: int,
    actor: Actor,
    now: dt.datetime,
    *,
    reasons: list[dict[str, Any]] | None = None,
    note: str | None = None,
) -> None:
    is_worse = level < emergency.level
    values: dict[str, Any] = {"reasons": reasons} if reasons is not None else {}
    queries.update_emergency(
        session,
        emergency.key,
        level=level,
        worst_level=min(level, emergency.worst_level),
        level_at=now,
        level_by=actor.name,
        level_note=note,
        version=emergency.version + 1,
        **values,
    )
    if is_worse:
        _call_all(session, emergency, level, now)
        _hasten(session, emergency, level, now)
    kind = "emergency.raised" if is_worse else "emergency.lowered"
    told = {"level": level, "before": emergency.level, "note": note}
    _tell(session, kind, emergency, actor, now, **told)


def _keep_reasons(
    session: Session, emergency: Emergency, reasons: list[dict[str, Any]], now: dt.datetime
) -> None:
    """Add rules that are met meanwhile, or a worse one of the same measure; none is taken away."""
    known = {each["measure"]: each["level"] for each in emergency.reasons}
    new = [each for each in reasons if each["level"] < known.get(each["measure"], 9)]
    if not new:
        return
    measures = {each["measure"] for each in new}
    kept = [each for each in emergency.reasons if each["measure"] not in measures]
    version = emergency.version + 1
    queries.update_emergency(session, emergency.key, reasons=kept + new, version=version)
    _tell(session, "emergency.reasoned", emergency, SYSTEM, now, reasons=kept + new)


def _hasten(session: Session, emergency: Emergency, level: int, now: dt.datetime) -> None:
    """Bring the report that is due forward to what the worse level asks, counted from now."""
    times = queries.fetch_levels(session)[level]
    within_min = {"first": times.first_within_min, "follow_up": times.follow_up_every_min}
    for report in queries.fetch_reports(session, [emergency.key]):
        if report.is_pending and report.kind in within_min:
            due_at = now + dt.timedelta(minutes=within_min[report.kind])
            if due_at < report.due_at:
                queries.update_report(session, report.key, due_at=due_at)


def _call_all(session: Session, emergency: Emergency, level: int, now: dt.datetime) -> None:
    rows = [
        {
            "emergency_key": emergency.key,
            "entry_key": entry.key,
            "level": entry.level,
            "rank": entry.rank,
            "post": entry.post,
            "name": entry.name,
            "phone": entry.phone,
            "person_id": entry.person_id,
            "is_duty_leader": entry.is_duty_leader,
            "due_at": now + dt.timedelta(minutes=entry.within_min),
        }
        for entry in queries.fetch_tree(session, level)
    ]
    queries.insert_calls(session, rows)


def _due_next(
    session: Session,
    emergency: Emergency,
    kind: str,
    number: int,
    now: dt.datetime,
    within_min: int,
) -> None:
    queries.insert_report(
        session,
        emergency_key=emergency.key,
        kind=kind,
        number=number,
        starts_at=now,
        due_at=now + dt.timedelta(minutes=within_min),
    )


def _reasons(met: Sequence[Met]) -> list[dict[str, Any]]:
    """Give the worst rule met of each measure."""
    worst: dict[str, Met] = {}
    for each in met:
        worst.setdefault(each.measure, each)
    return [each.as_reason() for each in worst.values()]


def _views(session: Session, emergencies: list[Emergency]) -> list[EmergencyView]:
    keys = [emergency.key for emergency in emergencies]
    if not keys:
        return []
    calls, reports = queries.fetch_calls(session, keys), queries.fetch_reports(session, keys)
    return [
        EmergencyView(
            emergency,
            [call for call in calls if call.emergency_key == emergency.key],
            [report for report in reports if report.emergency_key == emergency.key],
        )
        for emergency in emergencies
    ]


def _lock(session: Session, emergency_id: str) -> Emergency:
    found = queries.fetch_emergencies(session, emergency_id=emergency_id, is_locking=True)
    if not found:
        raise NotFoundError("There is no emergency %(emergency)s.", emergency=emergency_id)
    return found[0]


def _lock_open(session: Session, emergency_id: str) -> Emergency:
    emergency = _lock(session, emergency_id)
    if emergency.status != "open":
        raise ConflictError("%(emergency)s is over already.", emergency=emergency.id)
    return emergency


def _find_call(session: Session, emergency_id: str, call_key: int) -> tuple[Emergency, Call]:
    emergency = _lock(session, emergency_id)
    for call in queries.fetch_calls(session, [emergency.key]):
        if call.key == call_key:
            return emergency, call
    raise NotFoundError("That person is not on the list of %(emergency)s.", emergency=emergency.id)


def _check(actor: Actor, roles: frozenset[str]) -> None:
    if not actor.roles & roles:
        raise ForbiddenError("Your roles do not allow this.")


def _check_level(level: int) -> None:
    if level not in ROMAN:
        raise FieldopsError("The emergency levels are I to IV.")


def _tell(
    session: Session,
    kind: str,
    emergency: Emergency,
    actor: Actor,
    now: dt.datetime,
    **more: object,
) -> None:
    body = {
        "id": emergency.id,
        "incident": emergency.incident_id,
        "level": emergency.level,
        "status": emergency.status,
        "is_drill": emergency.is_drill,
        **more,
    }
    append_event(session, kind, ("emergency", emergency.key), by=actor, now=now, body=body)


def _tell_policy(session: Session, actor: Actor, now: dt.datetime, **body: object) -> None:
    told = {"id": "policy", **body}
    append_event(
        session, "emergency.policy_changed", ("emergency", 0), by=actor, now=now, body=told
    )
