"""What may become of a report: linked, parted, taken, answered, called back."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, Field, StrictBool

from fieldops.errors import ConflictError, FieldopsError, NotFoundError
from fieldops.events.service import append_event, merge_fields
from fieldops.incidents import service as incidents
from fieldops.incidents.queries import read_policy
from fieldops.incidents.service import KINDS, Words, read_change
from fieldops.report_records import queries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.orm import Session

    from fieldops.events.service import Actor, Operation
    from fieldops.report_records.queries import CallBack, Report

CHANNELS = ("phone", "public", "crew", "api")
CONTACTS = ("fault", "enquiry", "complaint", "suggestion", "praise")
RESULTS = ("reached", "not_back", "complaint", "no_answer", "message")
LOCAL = ZoneInfo("Asia/Shanghai")


class ChangeBody(BaseModel):
    """What of a report may be changed; only what was sent is."""

    kind: Words = Field(default="", max_length=50)
    contact: Words = Field(default="", max_length=50)
    words: Words = Field(default="", max_length=4000)
    address: Words | None = Field(default=None, max_length=500)
    name: Words | None = Field(default=None, max_length=100)
    phone: Words | None = Field(default=None, max_length=40)
    danger: StrictBool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDraft:
    """
    What somebody told. The place is one of lon and lat, a pipe's or a customer's id, or an address.

    `is_answered`: an enquiry that was answered on the spot. `client_id`: sent again, a report of
    the same number is the same report.
    """

    kind: Annotated[str, Field(max_length=50)]
    channel: str = "phone"
    contact: str = "fault"
    words: Annotated[str, Field(max_length=4000)] = ""
    name: Annotated[str | None, Field(max_length=100)] = None
    phone: Annotated[str | None, Field(max_length=40)] = None
    lon: Annotated[float | None, Field(ge=-180, le=180)] = None
    lat: Annotated[float | None, Field(ge=-90, le=90)] = None
    address: Annotated[str | None, Field(max_length=500)] = None
    pipe: Annotated[str | None, Field(max_length=200)] = None
    at_m: Annotated[float | None, Field(ge=0)] = None
    customer: Annotated[str | None, Field(max_length=200)] = None
    danger: bool = False
    is_answered: bool = False
    is_drill: bool = False
    photo_sha256: tuple[str, ...] = ()
    client_id: str | None = None
    token: str | None = None


def find_report(session: Session, report_id: str) -> Report:
    """
    Give a report.

    Raises
    ------
    NotFoundError
        If there is none of this id.
    """
    return _found(queries.fetch_report(session, report_id), report_id)


def lock_report(session: Session, report_id: str) -> Report:
    """Give a report that is going to be changed; nobody else changes it meanwhile."""
    return _found(queries.fetch_report(session, report_id, is_locking=True), report_id)


def _found(report: Report | None, report_id: str) -> Report:
    if report is None:
        raise NotFoundError("There is no report %(report)s.", report=report_id)
    return report


def list_of_incidents(session: Session, incident_keys: Sequence[int]) -> list[Report]:
    """Give the reports that are linked to some incidents."""
    return queries.fetch_of_incidents(session, incident_keys) if incident_keys else []


def list_waiting(session: Session, limit: int = 200) -> list[Report]:
    """Give what nobody has linked or answered yet, the oldest first."""
    return queries.fetch_by_status(session, ["open"], limit)


def list_latest(session: Session, limit: int = 20) -> list[Report]:
    """Give what came last."""
    return queries.fetch_latest(session, limit)


def list_earlier(session: Session, phone: str, limit: int = 5) -> list[Report]:
    """Give what came from a telephone before."""
    return queries.fetch_by_phone(session, phone, limit)


def link_report(
    session: Session,
    report_id: str,
    incident_id: str,
    actor: Actor,
    now: dt.datetime,
    kind: str = "chosen",
    *,
    operation: Operation | None = None,
) -> Report:
    """
    Link a report to an incident; it stays its own record.

    Raises
    ------
    ConflictError
        If it is linked to another incident, or over.
    """
    report = lock_report(session, report_id)
    incident = incidents.find_incident(session, incident_id)
    if report.incident_key == incident.key:
        return report
    if report.incident_key is not None:
        raise ConflictError(
            "%(report)s is linked to %(incident)s already: part it first.",
            report=report.id,
            incident=report.incident,
        )
    if report.status not in {"open", "answered"}:
        raise ConflictError("%(report)s is over.", report=report.id)
    values: dict[str, Any] = {
        "incident_key": incident.key,
        "link_kind": kind,
        "linked_by": actor.name,
        "parted_from": [key for key in report.parted_from if key != incident.key],
    }
    if report.status == "open":
        values["status"] = "linked" if incident.is_open else "callback_due"
    after = change_row(session, report, values, actor)
    tell_report(session, "report.linked", after, actor, now, operation=operation)
    return after


def part_report(
    session: Session,
    report_id: str,
    actor: Actor,
    now: dt.datetime,
    *,
    operation: Operation | None = None,
) -> Report:
    """
    Undo a link; it is not made again by itself.

    Raises
    ------
    ConflictError
        If it is linked to nothing, or the call back is done.
    """
    report = lock_report(session, report_id)
    if report.incident_key is None:
        raise ConflictError("%(report)s is linked to no incident.", report=report.id)
    if report.status == "closed":
        raise ConflictError("%(report)s is over.", report=report.id)
    values: dict[str, Any] = {
        "incident_key": None,
        "link_kind": None,
        "linked_by": None,
        "parted_from": [*report.parted_from, report.incident_key],
    }
    if report.status != "answered":
        values["status"] = "open"
    after = change_row(session, report, values, actor)
    more = {"parted_from": report.incident}
    tell_report(session, "report.parted", after, actor, now, more=more, operation=operation)
    return after


def change_row(session: Session, report: Report, values: Mapping[str, Any], actor: Actor) -> Report:
    """Write what changed; whoever does the first thing about a report is its first contact."""
    version = report.version + 1
    taken: dict[str, Any] = {}
    if report.first_contact_by is None and actor.person_id is not None:
        taken = {
            "first_contact_id": actor.person_id,
            "first_contact_by": actor.by_phone_for or actor.name,
        }
    changed = {**values, **taken}
    return queries.update_report(
        session,
        report.key,
        {
            **changed,
            "version": version,
            "changed_in": report.changed_in | dict.fromkeys(changed, version),
        },
    )


def take_report(
    session: Session,
    report_id: str,
    actor: Actor,
    now: dt.datetime,
    *,
    operation: Operation | None = None,
) -> Report:
    """
    Become the first contact of a report that came without one; that is set once.

    Raises
    ------
    ConflictError
        If somebody is.
    """
    report = lock_report(session, report_id)
    if report.first_contact_by is not None:
        raise ConflictError(
            "%(person)s is the first contact of %(report)s.",
            person=report.first_contact_by,
            report=report.id,
        )
    after = change_row(session, report, {}, actor)
    tell_report(session, "report.taken", after, actor, now, operation=operation)
    return after


def answer_report(
    session: Session,
    report_id: str,
    actor: Actor,
    now: dt.datetime,
    *,
    operation: Operation | None = None,
) -> Report:
    """
    End an enquiry that is answered.

    Raises
    ------
    ConflictError
        If it is over, or a fault or complaint, which a call back ends.
    """
    report = lock_report(session, report_id)
    if report.contact in {"fault", "complaint"}:
        raise ConflictError("A fault or a complaint ends with a call back.")
    if report.status in {"answered", "closed"}:
        raise ConflictError("%(report)s is over.", report=report.id)
    after = change_row(session, report, {"status": "answered", "ended_at": now}, actor)
    tell_report(session, "report.answered", after, actor, now, operation=operation)
    return after


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBackDraft:
    """How a try to call back ended; `is_incoming`: the reporter called, at whatever hour."""

    result: str
    note: str = ""
    at: AwareDatetime | None = None
    is_incoming: bool = False


def record_call_back(
    session: Session,
    report_id: str,
    draft: CallBackDraft,
    actor: Actor,
    now: dt.datetime,
    *,
    operation: Operation | None = None,
) -> Report:
    """
    Record a try to call back, and end the report where that is enough.

    Raises
    ------
    FieldopsError
        If there is no such result, or it lies in the future.
    ConflictError
        If the report is over, it was in the hours of quiet, or a message cannot end it.
    """
    report = lock_report(session, report_id)
    at = draft.at or now
    _check_call_back(session, report, draft, at, now)
    queries.insert_call_back(
        session,
        {
            "report_key": report.key,
            "result": draft.result,
            "note": draft.note.strip(),
            "at": at,
            "person_id": actor.person_id,
            "person_name": actor.by_phone_for or actor.name,
        },
    )
    after = change_row(session, report, _after_call(session, report, draft.result, now), actor)
    more = {"result": draft.result}
    tell_report(session, "report.called_back", after, actor, now, more=more, operation=operation)
    return after


def _check_call_back(
    session: Session, report: Report, draft: CallBackDraft, at: dt.datetime, now: dt.datetime
) -> None:
    if draft.result not in RESULTS:
        raise FieldopsError("A call back knows no result %(result)s.", result=draft.result)
    if at > now or at < report.received_at:
        raise FieldopsError("A call back lies between the report and now.")
    if report.status in {"answered", "closed"} and draft.result not in {"not_back", "complaint"}:
        raise ConflictError("%(report)s is over.", report=report.id)
    if draft.result == "message":
        tried = queries.fetch_call_backs(session, [report.key]).get(report.key, [])
        is_told_otherwise = any(one.result == "not_back" for one in tried)
        if report.contact == "complaint" or is_told_otherwise:
            raise ConflictError("A complaint, or water that is not back, needs a person to call.")
        is_known = report.incident_key is not None or report.outage_key is not None
        if not is_known and report.status != "callback_due":
            raise ConflictError(
                "A message ends only what was told of a known incident or outage: link it first."
            )
    elif not draft.is_incoming and is_quiet(read_policy(session), at):
        raise ConflictError("Nobody is called in the hours of quiet.")


def is_quiet(policy: Mapping[str, float], at: dt.datetime) -> bool:
    """Tell whether nobody may be called at a moment."""
    local = at.astimezone(LOCAL)
    hour = local.hour + local.minute / 60
    since, until = policy["quiet_from_h"], policy["quiet_until_h"]
    if since <= until:
        return since <= hour < until
    return hour >= since or hour < until


def _after_call(session: Session, report: Report, result: str, now: dt.datetime) -> dict[str, Any]:
    """Tell how a report stands after a call."""
    if result == "not_back":
        return {"status": "open", "ended_at": None}
    if result == "complaint":
        is_waiting = report.status == "linked"
        status = "linked" if is_waiting else "open"
        return {"contact": "complaint", "status": status, "ended_at": None}
    if report.status == "linked":
        # Its incident is under way: it was told how things are, and will be called again.
        return {}
    if result == "no_answer" and not _is_tried_enough(session, report):
        return {}
    return {"status": "closed", "ended_at": now}


def _is_tried_enough(session: Session, report: Report) -> bool:
    """Tell whether so many tries failed, far enough apart, that a report may end by them."""
    if report.status == "open" and report.contact in {"fault", "complaint"}:
        # Nobody has worked on it since: silence does not mend it.
        return False
    policy = read_policy(session)
    apart = dt.timedelta(minutes=policy["call_back_apart_min"])
    tried = queries.fetch_call_backs(session, [report.key]).get(report.key, [])
    counted: list[dt.datetime] = []
    for at in sorted(one.at for one in tried if one.result == "no_answer"):
        if not counted or at - counted[-1] >= apart:
            counted.append(at)
    return len(counted) >= policy["call_back_tries"]


def list_call_backs(session: Session, reports: Iterable[Report]) -> dict[int, list[CallBack]]:
    """Give the tries to call some reporters back, by the keys of their reports."""
    keys = [report.key for report in reports]
    return queries.fetch_call_backs(session, keys) if keys else {}


def list_due(session: Session, limit: int = 200) -> list[Report]:
    """Give the reports whose reporters are to be called back, the oldest first."""
    return queries.fetch_by_status(session, ["callback_due"], limit)


def change_report(
    session: Session,
    report_id: str,
    wanted: Mapping[str, Any],
    base_version: int | None,
    actor: Actor,
    now: dt.datetime,
    *,
    operation: Operation | None = None,
) -> tuple[Report, Mapping[str, Any]]:
    """Change fields of a report, and give it with the fields that somebody else changed."""
    report = lock_report(session, report_id)
    wanted = read_change(ChangeBody, wanted)
    if wanted.get("kind", report.kind) not in KINDS:
        raise FieldopsError("There is no kind of report %(kind)s.", kind=wanted["kind"])
    if wanted.get("contact", report.contact) not in CONTACTS:
        raise FieldopsError("There is no such channel or kind of contact.")
    current = {name: getattr(report, name) for name in wanted}
    merged = merge_fields(current, report.changed_in, base_version, wanted)
    changed = {name: value for name, value in merged.applied.items() if current[name] != value}
    if not changed:
        return report, merged.conflicts
    after = change_row(session, report, changed, actor)
    more = {"fields": sorted(changed)}
    tell_report(session, "report.changed", after, actor, now, more=more, operation=operation)
    return after, merged.conflicts


def tell_report(
    session: Session,
    kind: str,
    report: Report,
    actor: Actor,
    now: dt.datetime,
    *,
    more: Mapping[str, Any] | None = None,
    operation: Operation | None = None,
) -> None:
    """Tell what happened to a report."""
    # The log is never changed: no name and no number of anybody outside goes into it.
    body = {
        "id": report.id,
        "state": report.status,
        "version": report.version,
        "kind": report.kind,
        "contact": report.contact,
        "channel": report.channel,
        "incident": report.incident,
        "link_kind": report.link_kind,
        "lon": report.lon,
        "lat": report.lat,
        "address": report.address,
        **(more or {}),
    }
    append_event(
        session,
        kind,
        ("report", report.key),
        by=actor,
        now=now,
        body=body,
        occurred_at=operation.occurred_at if operation else None,
        op_id=operation.op_id if operation else None,
    )


def find_by_token(session: Session, token: str) -> Report:
    """
    Give the report that a reporter's own page is about.

    Raises
    ------
    NotFoundError
        If there is no such page.
    """
    report = queries.fetch_by_token(session, token)
    if report is None:
        raise NotFoundError("There is no such report. Check the address of this page.")
    return report
