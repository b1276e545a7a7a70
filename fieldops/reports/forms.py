"""What a request about reports may say, and how one is told to people and machines."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from flask_babel import format_datetime
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import Field

from fieldops.crews.forms import Body, read_body
from fieldops.incidents.forms import KIND_NAMES, incident_as_json, name_kind
from fieldops.order_process.forms import name_event as name_order_event
from fieldops.reports.service import CallBackDraft, ReportDraft, promise_as_json

if TYPE_CHECKING:
    from fieldops.events.service import Event
    from fieldops.live_outages.service import Promise
    from fieldops.report_records.queries import Report
    from fieldops.reports.service import Candidate, Registered

SHORT_TIME = "MM-dd HH:mm"
CHANNEL_NAMES = {
    "phone": _l("hotline"),
    "public": _l("public page"),
    "crew": _l("repair crew"),
    "api": _l("other system"),
}
CONTACT_NAMES = {
    "fault": _l("fault/leak report"),
    "enquiry": _l("enquiry"),
    "complaint": _l("complaint"),
    "suggestion": _l("suggestion"),
    "praise": _l("praise"),
}
STATUS_NAMES = {
    "open": _l("not linked yet"),
    "linked": _l("linked, under way"),
    "callback_due": _l("call-back due"),
    "answered": _l("answered"),
    "closed": _l("over"),
}
RESULT_NAMES = {
    "reached": _l("reached"),
    "no_answer": _l("no answer"),
    "not_back": _l("water is not back"),
    "complaint": _l("dissatisfied"),
    "message": _l("message delivered"),
}
LINK_NAMES = {
    "zone": _l("lies in its isolation segment or outage area"),
    "reopening": _l("lies where water was let in again"),
    "chosen": _l("chosen by a person"),
    "opened": _l("opened from this report"),
}


def describe_why(candidate: Candidate) -> list[str]:
    """Say why something may be the same."""
    said: list[object] = []
    if "same_zone" in candidate.why:
        said.append(_("same isolation segment"))
    if candidate.distance_m is not None:
        said.append(_("%(distance)s m away", distance=round(candidate.distance_m)))
    said.append(describe_age(candidate.age_min))
    if "same_kind" in candidate.why:
        said.append(_("same kind"))
    if "related_kind" in candidate.why:
        said.append(_("may be the same fault"))
    if "planned" in candidate.why:
        said.append(_("planned shutdown"))
    if "parted" in candidate.why:
        said.append(_("was parted from it before"))
    return [str(one) for one in said]


def describe_age(minutes: int) -> str:
    """Say how old something is."""
    if minutes < 60:
        return str(_("%(n)s min ago", n=minutes))
    if minutes < 48 * 60:
        return str(_("%(n)s h ago", n=minutes // 60))
    return str(_("%(n)s days ago", n=minutes // 1440))


class ReportBody(Body):
    """What a machine, a tablet or a page tells of a fault."""

    kind: str = Field(max_length=50)
    contact: Literal["fault", "enquiry", "complaint", "suggestion", "praise"] = "fault"
    words: str | None = Field(default=None, max_length=4000)
    name: str | None = Field(default=None, max_length=100)
    phone: str | None = Field(default=None, max_length=40)
    lon: float | None = Field(default=None, ge=-180, le=180, allow_inf_nan=False)
    lat: float | None = Field(default=None, ge=-90, le=90, allow_inf_nan=False)
    address: str | None = Field(default=None, max_length=500)
    pipe: str | None = Field(default=None, max_length=200)
    at_m: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    customer: str | None = Field(default=None, max_length=200)
    danger: bool = False
    is_answered: bool = False
    is_drill: bool = False
    photo_sha256: list[str] = Field(default_factory=list, max_length=6)
    client_id: str | None = Field(default=None, max_length=200)

    def draft(self, channel: str) -> ReportDraft:
        """Make the draft of a report that came by a channel."""
        fields = self.model_dump() | {"words": self.words or ""}
        return ReportDraft(**{**fields, "photo_sha256": tuple(self.photo_sha256)}, channel=channel)


def read_report(body: object, channel: str) -> ReportDraft:
    """
    Read what somebody told.

    Raises
    ------
    FieldopsError
        If a field is missing or wrong.
    """
    return read_body(ReportBody, body).draft(channel)


class PlaceQuery(Body):
    """A place that somebody asks about before telling of it."""

    kind: str = "no_water"
    lon: float | None = Field(default=None, ge=-180, le=180, allow_inf_nan=False)
    lat: float | None = Field(default=None, ge=-90, le=90, allow_inf_nan=False)
    pipe: str | None = Field(default=None, max_length=200)
    customer: str | None = Field(default=None, max_length=200)
    address: str | None = Field(default=None, max_length=500)
    phone: str | None = Field(default=None, max_length=40)


class LinkBody(Body):
    """To which incident a report is linked."""

    incident: str = Field(max_length=40)


class OpenBody(Body):
    """How an incident is opened from a report."""

    is_separate: bool = False


class CallBackBody(Body):
    """How a try to call back ended."""

    result: Literal["reached", "not_back", "complaint", "no_answer", "message"]
    note: str | None = Field(default=None, max_length=2000)
    at: dt.datetime | None = None
    is_incoming: bool = False

    def draft(self) -> CallBackDraft:
        """Make the draft; a time without a zone is none."""
        at = self.at if self.at is None or self.at.tzinfo else self.at.replace(tzinfo=dt.UTC)
        return CallBackDraft(
            result=self.result, note=self.note or "", at=at, is_incoming=self.is_incoming
        )


def report_as_json(report: Report) -> dict[str, Any]:
    """Tell a report to a machine; never the key to the reporter's own page."""
    told = {
        name: value.isoformat() if isinstance(value, dt.datetime) else value
        for name, value in asdict(report).items()
        if name not in {"token", "client_id", "first_contact_id"}
    }
    return told | {"kind_name": name_kind(report.kind)}


def registered_as_json(answer: Registered) -> dict[str, Any]:
    """Tell a machine what became of a report, and what to say to the reporter."""
    linked, outage, reopening = answer.linked_incident, answer.outage, answer.reopening
    return {
        "report": report_as_json(answer.report),
        "is_repeated": answer.is_repeated,
        "candidates": [candidate_as_json(one) for one in answer.candidates],
        "linked_incident": None if linked is None else incident_as_json(linked),
        "outage": None if outage is None else outage.id,
        "promise": None if answer.promise is None else promise_as_json(answer.promise),
        "reopening": None
        if reopening is None
        else {
            "outage": reopening.outage,
            "incident": reopening.incident,
            "at": reopening.at.isoformat(),
            "proposed_order": "flush",
        },
    }


def receipt_as_json(answer: Registered) -> dict[str, Any]:
    """Tell a contractor's machine that a report is kept, and nothing of what others told."""
    return {
        "report": {"id": answer.report.id},
        "is_repeated": answer.is_repeated,
        "is_linked": answer.report.incident_key is not None,
    }


def candidate_as_json(candidate: Candidate) -> dict[str, Any]:
    """Tell a candidate to a machine, with the words why."""
    return asdict(candidate) | {
        "why": list(candidate.why),
        "why_text": describe_why(candidate),
        "kind_name": name_kind(candidate.kind),
    }


def describe_promise(promise: Promise | None) -> str:
    """Say what a caller may be told; never a time that cannot be kept."""
    if promise is not None and promise.by is not None:
        return str(_("Water back by %(time)s", time=format_datetime(promise.by, SHORT_TIME)))
    if promise is not None and promise.next_news_at is not None:
        time = format_datetime(promise.next_news_at, SHORT_TIME)
        return str(_("Still uncertain; next news at %(time)s", time=time))
    return str(_("No time can be promised yet."))


EVENT_NAMES = {
    "incident.opened": _l("incident opened"),
    "incident.scored": _l("effect known anew"),
    "incident.changed": _l("incident changed"),
    "incident.closing": _l("closing asked for"),
    "incident.closed": _l("incident over"),
    "incident.reopened": _l("incident opened again"),
    "incident.fire_service_told": _l("fire service told"),
    "report.registered": _l("report received"),
    "report.linked": _l("report linked"),
    "report.parted": _l("link undone"),
    "report.placed": _l("place found"),
    "report.taken": _l("first contact taken"),
    "report.changed": _l("report changed"),
    "report.answered": _l("enquiry answered"),
    "report.called_back": _l("called back"),
    "report.ended": _l("reporter to be told"),
    "report.resumed": _l("report under way again"),
    "outage.opened": _l("outage opened"),
    "outage.valve_confirmed": _l("valve confirmed"),
    "outage.replanned": _l("isolation plan changed"),
    "outage.device_ring": _l("extended isolation worked out on a tablet"),
    "outage.plan_approved": _l("isolation plan approved"),
    "outage.valve_reopened": _l("valve reopened"),
    "outage.release_given": _l("release of a valve given by phone"),
    "outage.valve_released": _l("valve opened with a release by phone"),
    "outage.part_restored": _l("water back in a part"),
    "outage.restored": _l("supply restored"),
    "outage.redrawn": _l("times redrawn"),
    "outage.closed": _l("outage closed"),
    "outage.joint_effect": _l("joint effect with another outage"),
    "outage.tag_hung": _l("valve tag hung"),
    "outage.tag_taken_off": _l("valve tag taken off"),
    "outage.plan_proposed": _l("isolation plan proposed"),
    "outage.plan_executed": _l("isolation plan carried out"),
    "outage.stage_reached": _l("stage reached"),
    "outage.late_fact": _l("fact that came late"),
    "incident.late_fact": _l("fact that came late"),
    "report.late_fact": _l("fact that came late"),
    "crew.late_fact": _l("fact that came late"),
    "outage.late_fact_read": _l("late fact read"),
    "incident.late_fact_read": _l("late fact read"),
    "report.late_fact_read": _l("late fact read"),
    "crew.late_fact_read": _l("late fact read"),
    "outage.imported": _l("read in from a rescue file"),
    "report.imported": _l("read in from a rescue file"),
    "crew.position_kept": _l("old position kept"),
    "crew.moved": _l("position told"),
}


def name_event(kind: str) -> str:
    """Name what happened; of an order, as its own page does."""
    if kind.startswith("work_order."):
        return str(_("work order opened")) if kind.endswith(".opened") else name_order_event(kind)
    return str(EVENT_NAMES.get(kind, kind))


def describe_event(event: Event) -> str:
    """Say of which valve it tells, and who released it by phone, when; empty where that is none."""
    told = event.body
    valve = told.get("valve")
    if not isinstance(valve, str):
        return ""
    if event.kind == "outage.release_given":
        said = _("%(valve)s, asked for by %(asked)s", valve=valve, asked=told["asked_by"])
    elif event.kind == "outage.valve_released":
        given_at = dt.datetime.fromisoformat(told["given_at"])
        said = _(
            "%(valve)s: released by %(by)s at %(given)s, asked for by %(asked)s,"
            " opened by %(opened)s at %(at)s",
            valve=valve,
            by=told["released_by"],
            given=format_datetime(given_at, SHORT_TIME),
            asked=told["asked_by"],
            opened=event.by_phone_for or told["opened_by"],
            at=format_datetime(event.occurred_at, SHORT_TIME),
        )
    else:
        said = valve
    return str(said)


PAGE_WORDS = {
    "no-answer": _l("The server does not answer."),
    "offline": _l("No connection: what you see may be out of date."),
    "signed-out": _l("You are signed out. Sign in again."),
    "failed": _l("The server answered with fault %(status)s."),
    "not-indexed": _l("Addresses and names are still being read: try again in a minute."),
    "nothing-found": _l("Nothing found for “%(text)s”."),
    "kind.pipe": _l("pipe"),
    "kind.valve": _l("valve"),
    "kind.control_valve": _l("control valve"),
    "kind.pump": _l("pump"),
    "kind.hydrant": _l("hydrant"),
    "kind.node": _l("node"),
    "kind.source": _l("source"),
    "kind.customer": _l("customer"),
    "kind.road": _l("road"),
    "kind.depot": _l("depot"),
    "on-pipe": _l("on pipe segment %(pipe)s, %(distance)s m away"),
    "no-pipe": _l("far from every pipe: no isolation segment"),
    "no-place": _l("The place is not known yet: only the address is kept."),
    "links-to": _l("Lies in the zone of %(incident)s (%(kind)s): will be linked by itself."),
    "outage": _l("In outage %(outage)s."),
    "may-be": _l("May be the same:"),
    "nothing-near": _l("Nothing is known here."),
    "reopened": _l("Water was let in again here within a day: flushing will be proposed."),
    "earlier": _l("From this number before:"),
    "by": _l("Water back by %(time)s"),
    "news": _l("Still uncertain; next news at %(time)s"),
    "no-promise": _l("No time can be promised yet."),
    "locating": _l("Asking the device …"),
    "located": _l("The place of the device will be sent along."),
    "not-located": _l("The device does not tell its place: please write the address."),
    "use-place": _l("Use my place"),
}
"""What the scripts of the pages say."""


def page_words() -> dict[str, str]:
    """Say them in the reader's language, with the names of kinds and states."""
    said = {key: str(text) for key, text in PAGE_WORDS.items()}
    said |= {f"incident.{code}": str(name) for code, name in KIND_NAMES.items()}
    return said | {f"status.{code}": str(name) for code, name in STATUS_NAMES.items()}


OUTAGE_STATUS_NAMES = {
    "open": _l("under way"),
    "restored": _l("supply restored"),
    "closed": _l("over"),
}
