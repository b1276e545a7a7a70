"""The desk's pages: handover, call-out list, emergencies, receipts, drills."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.crews.forms import read_body
from fieldops.duty import forms, queries, service
from fieldops.duty.service import CallDraft
from fieldops.emergencies import queries as emergency_queries
from fieldops.emergencies import service as emergencies
from fieldops.emergencies.queries import Entry, Level, Rule
from fieldops.errors import ForbiddenError
from fieldops.events.queries import fetch_head
from fieldops.events.service import Actor
from fieldops.incidents import service as incidents
from fieldops.incidents.forms import KIND_NAMES
from fieldops.live_outages import service as live_outages
from fieldops.receipts import forms as receipt_forms
from fieldops.receipts import service as receipts
from fieldops.reports.forms import name_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.typing import ResponseReturnValue
    from sqlalchemy.orm import Session

    Step = Callable[[Session, str, Actor, dt.datetime], object]
    Change = Callable[[Session, Actor, dt.datetime], object]

duty = Blueprint("duty", __name__)

FIGURES_OVER = dt.timedelta(days=30)


@duty.app_template_filter("moment_of")
def moment_of(written: str) -> dt.datetime:
    """Read a moment out of a kept snapshot."""
    return dt.datetime.fromisoformat(written)


@duty.get("/duty")
@access.allow("dispatcher", "manager", "admin", menu=_l("Duty"))
def show_desk() -> ResponseReturnValue:
    """Show what the desk has to see to now."""
    now = _now()
    with db.transaction() as session:
        open_incidents = incidents.list_open(session)
        outages = live_outages.list_open(session)
        told = receipts.list_receipts(
            session,
            incident_ids=[each.id for each in open_incidents],
            outage_ids=[each.id for each in outages],
        )
        page = {
            "now": now,
            "position": fetch_head(session),
            "pumps": service.list_waiting_pumps(outages, told),
            "handovers": queries.fetch_handovers(session, 8),
            "calls": service.list_calls(session, now),
            "emergencies": emergencies.list_live(session),
            "last": emergencies.list_last(session, 8),
            "incidents": open_incidents,
            "outages": outages,
            "receipts": told,
            "phone_steps": service.list_phone_steps(session, now),
            "figures": emergency_queries.count_punctual(session, now - FIGURES_OVER),
        }
    return render_template("duty/desk.html", name_event=name_event, **page, **_words())


@duty.post("/duty/handovers")
@access.allow("dispatcher", "manager", "admin")
def begin_handover() -> ResponseReturnValue:
    """Sign as the one who leaves."""
    body = read_body(forms.RemarksBody, request.form.to_dict())
    with db.transaction() as session:
        made = service.begin_handover(session, body.remarks or "", _signer(), _now())
    return redirect(url_for("duty.show_handover", handover=made.id))


@duty.get("/duty/handovers/<handover>")
@access.allow("dispatcher", "manager", "admin")
def show_handover(handover: str) -> ResponseReturnValue:
    """Show a handover as it stood."""
    with db.transaction() as session:
        found = service.find_handover(session, handover)
        since = queries.count_events_since(session, found.position) if found.is_open else 0
    return render_template(
        "duty/handover.html", handover=found, since=since, person=_person(), **_words()
    )


@duty.post("/duty/handovers/<handover>/<any(sign,withdraw):step>")
@access.allow("dispatcher", "manager", "admin")
def end_handover(handover: str, step: str) -> ResponseReturnValue:
    """Sign as the one who comes, or take the handover back."""
    body = read_body(forms.RemarksBody, request.form.to_dict())
    with db.transaction() as session:
        if step == "sign":
            service.sign_handover(session, handover, body.remarks or "", _signer(), _now())
        else:
            service.withdraw_handover(session, handover, _signer(), _now())
    return redirect(url_for("duty.show_handover", handover=handover))


@duty.post("/duty/calls")
@access.allow("dispatcher", "manager", "admin")
def record_call() -> ResponseReturnValue:
    """Record an attempt to call a crew out."""
    draft = CallDraft(**read_body(forms.CallBody, request.form.to_dict()).model_dump())
    with db.transaction() as session:
        service.record_call(session, draft, _actor(), _now())
    return _saved("calls")


@duty.post("/duty/receipts")
@access.allow("dispatcher", "manager", "admin")
def record_receipt() -> ResponseReturnValue:
    """Keep the receipt of what the fire service or the control room was told."""
    draft = receipt_forms.read_receipt(request.form.to_dict())
    with db.transaction() as session:
        receipts.inform(session, draft, _actor(), _now())
    return _saved("receipts")


@duty.post("/duty/drills")
@access.allow("dispatcher", "manager", "admin")
def begin_drill() -> ResponseReturnValue:
    """Open an incident for practice."""
    body = read_body(forms.DrillBody, request.form.to_dict())
    with db.transaction() as session:
        service.begin_drill(session, body.kind, body.pipe, _actor(), _now())
    return _saved("drills")


@duty.post("/duty/drills/end")
@access.allow("dispatcher", "manager", "admin")
def end_drill() -> ResponseReturnValue:
    """End a drill."""
    body = read_body(forms.DrillEndBody, request.form.to_dict())
    with db.transaction() as session:
        service.end_drill(session, body.incident, _actor(), _now())
    return _saved("drills")


@duty.post("/duty/emergencies")
@access.allow("dispatcher", "manager", "admin")
def declare() -> ResponseReturnValue:
    """Declare an emergency that no rule has found."""
    body = read_body(forms.DeclareBody, request.form.to_dict())
    with db.transaction() as session:
        made = emergencies.declare(
            session, body.incident, body.level, body.note or "", _actor(), _now()
        )
    return redirect(url_for("duty.show_emergency", emergency=made.id))


@duty.get("/duty/emergencies/<emergency>")
@access.allow(*STAFF)
def show_emergency(emergency: str) -> ResponseReturnValue:
    """Show an emergency with its phone tree and reports."""
    now = _now()
    with db.transaction() as session:
        view = emergencies.find_emergency(session, emergency)
        incident = incidents.find_incident(session, view.emergency.incident_id)
        told = receipts.list_receipts(session, incident_ids=[incident.id])
    person = _person()
    is_desk = bool(person.roles & {"dispatcher", "manager", "admin"})
    if not is_desk and all(call.person_id != person.id for call in view.calls):
        # The tree holds people's own numbers.
        raise ForbiddenError("Only the desk and those of its phone tree may see an emergency.")
    return render_template(
        "duty/emergency.html",
        view=view,
        emergency=view.emergency,
        incident=incident,
        receipts=told,
        now=now,
        person=person,
        is_desk=is_desk,
        **_words(),
    )


@duty.post("/duty/emergencies/<emergency>/<any(level,try,acknowledge,report,stand_down):step>")
@access.allow(*STAFF)
def change_emergency(emergency: str, step: str) -> ResponseReturnValue:
    """Take one step in an emergency; who is of its phone tree acknowledges in person."""
    act = STEPS[step](request.form.to_dict())
    with db.transaction() as session:
        act(session, emergency, _actor(), _now())
    flash(_("Saved."), "done")
    return redirect(url_for("duty.show_emergency", emergency=emergency))


@duty.get("/duty/policy")
@access.allow("dispatcher", "manager", "admin")
def show_policy() -> ResponseReturnValue:
    """Show rules, times and the phone tree of the levels."""
    with db.transaction() as session:
        page = {
            "levels": emergency_queries.fetch_levels(session),
            "rules": emergency_queries.fetch_rules(session),
            "tree": emergency_queries.fetch_tree(session),
        }
    may_edit = bool(_person().roles & {"manager", "admin"})
    return render_template("duty/policy.html", **page, may_edit=may_edit, **_words())


@duty.post("/duty/policy/<any(entry,entry_end,rule,rule_end,times):part>")
@access.allow("manager", "admin")
def change_policy(part: str) -> ResponseReturnValue:
    """Change one part of the policy of the levels."""
    change = PARTS[part](request.form.to_dict())
    with db.transaction() as session:
        change(session, _actor(), _now())
    flash(_("Saved."), "done")
    return redirect(url_for("duty.show_policy"))


def _level(form: dict[str, str]) -> Step:
    body = read_body(forms.LevelBody, form)
    return lambda session, key, by, now: emergencies.set_level(
        session, key, body.level, body.note or "", by, now
    )


def _try(form: dict[str, str]) -> Step:
    body = read_body(forms.KnownBody, form)
    return lambda session, key, by, now: emergencies.record_try(
        session, key, body.call, body.note or "", by, now
    )


def _acknowledge(form: dict[str, str]) -> Step:
    body = read_body(forms.KnownBody, form)
    return lambda session, key, by, now: emergencies.acknowledge(
        session, key, body.call, body.note or "", by, now
    )


def _report(form: dict[str, str]) -> Step:
    body = read_body(forms.ReportBody, form)
    return lambda session, key, by, now: emergencies.send_report(
        session, key, body.text, body.sent_to or "", by, now
    )


def _stand_down(form: dict[str, str]) -> Step:
    body = read_body(forms.NoteBody, form)
    return lambda session, key, by, now: emergencies.stand_down(
        session, key, body.note or "", by, now
    )


STEPS = {
    "level": _level,
    "try": _try,
    "acknowledge": _acknowledge,
    "report": _report,
    "stand_down": _stand_down,
}


def _entry(form: dict[str, str]) -> Change:
    values = read_body(forms.EntryBody, form).model_dump()
    login = values.pop("login")
    entry = Entry(key=0, person_id=None, **values)
    return lambda session, by, now: emergencies.add_entry(session, entry, by, now, login=login)


def _rule(form: dict[str, str]) -> Change:
    values = read_body(forms.RuleBody, form).model_dump()
    kind = values.pop("incident_kind")
    rule = Rule(key=0, incident_kinds=[kind] if kind else None, **values)
    return lambda session, by, now: emergencies.add_rule(session, rule, by, now)


def _times(form: dict[str, str]) -> Change:
    level = Level(**read_body(forms.TimesBody, form).model_dump())
    return lambda session, by, now: emergencies.change_level(session, level, by, now)


def _entry_end(form: dict[str, str]) -> Change:
    key = read_body(forms.KeyBody, form).key
    return lambda session, by, now: emergencies.end_entry(session, key, by, now)


def _rule_end(form: dict[str, str]) -> Change:
    key = read_body(forms.KeyBody, form).key
    return lambda session, by, now: emergencies.end_rule(session, key, by, now)


PARTS = {
    "entry": _entry,
    "entry_end": _entry_end,
    "rule": _rule,
    "rule_end": _rule_end,
    "times": _times,
}


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _person() -> access.Person:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the routes let nobody else through
    return person


def _actor() -> Actor:
    return Actor.of(_person())


def _signer() -> Actor:
    """Give who signs: a person at a browser, never a token."""
    if not _person().session_key:
        raise ForbiddenError("A handover is signed in a browser, not by a token.")
    return _actor()


def _saved(place: str) -> ResponseReturnValue:
    flash(_("Saved."), "done")
    return redirect(url_for("duty.show_desk", _anchor=place))


def _words() -> dict[str, object]:
    return {
        "result_names": forms.RESULT_NAMES,
        "level_names": forms.LEVEL_NAMES,
        "measure_names": forms.MEASURE_NAMES,
        "report_names": forms.REPORT_NAMES,
        "party_names": receipt_forms.PARTY_NAMES,
        "topic_names": receipt_forms.TOPIC_NAMES,
        "how_names": receipt_forms.HOW_NAMES,
        "answer_names": receipt_forms.ANSWER_NAMES,
        "kind_names": KIND_NAMES,
        "valve_names": forms.VALVE_NAMES,
        "status_names": forms.STATUS_NAMES,
    }
