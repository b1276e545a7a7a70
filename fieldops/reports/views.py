"""Pages on which calls are taken in, incidents are looked into, and people are called back."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from flask import Blueprint, flash, redirect, render_template, request
from flask import url_for as url
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from fieldops import access, db
from fieldops.access import STAFF, Role
from fieldops.crews.forms import read_body
from fieldops.errors import FieldopsError, NotFoundError
from fieldops.events.queries import fetch_head
from fieldops.events.service import Actor, Operation
from fieldops.incidents import forms as incident_words
from fieldops.incidents import service as incidents
from fieldops.incidents.queries import read_policy
from fieldops.language import html_lang
from fieldops.live_outages.service import promise as promise_of
from fieldops.order_process import forms as order_words
from fieldops.photos.service import draw_photo, keep_photo, list_missing
from fieldops.reports import forms as words
from fieldops.reports import service
from fieldops.reports.forms import (
    CallBackBody,
    LinkBody,
    OpenBody,
    PlaceQuery,
    page_words,
    read_report,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask.typing import ResponseReturnValue
    from sqlalchemy.orm import Session

    from fieldops.access import Person
    from fieldops.reports.service import Registered

reports = Blueprint("reports", __name__)

DESK = (Role.DISPATCHER, Role.SERVICE_AGENT, Role.MANAGER)
OFFICE = tuple(role for role in STAFF if role is not Role.CREW)


def _person() -> Person:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the routes let nobody else through
    return person


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _is_desk() -> bool:
    return bool(_person().roles & set(DESK))


@reports.get("/calls")
@access.allow(*STAFF, menu=_l("Calls"))
def show_calls() -> ResponseReturnValue:
    """Show the form for the next call, what became of the last one, and what waits."""
    asked = request.args.get("report", "")
    fields = {name: request.args.get(name, "") for name in ("lon", "lat", "pipe", "address")}
    return _calls_page(fields, asked)


def _calls_page(fields: Mapping[str, str], asked: str = "", problem: str = "") -> str:
    now = _now()
    with db.transaction() as session:
        position = fetch_head(session)
        answer = service.describe_report(session, asked, now) if asked else None
        if answer is not None and not _is_desk():
            _check_own(answer)
        tried = service.list_call_backs(session, [answer.report]) if answer else {}
        sent = answer.report.photo_sha256 if answer else []
        photos_on_their_way = list_missing(session, sent) if sent else []
        lists = _read_lists(session) if _is_desk() else {}
        is_quiet = service.is_quiet(read_policy(session), now)
        is_outside = service.find_own_crews(session, _person()) is not None
    return render_template(
        "reports/calls.html",
        fields=fields,
        answer=answer,
        tried=tried.get(answer.report.key, []) if answer else [],
        photos_on_their_way=photos_on_their_way,
        problem=problem,
        is_desk=_is_desk(),
        is_outside=is_outside,
        may_open_incidents=bool(_person().roles & set(OFFICE)),
        is_quiet=is_quiet,
        now=now,
        words=words,
        incident_words=incident_words,
        page_data={"language": html_lang(), "position": position},
        page_words=page_words(),
        **lists,
    )


def _read_lists(session: Session) -> dict[str, Any]:
    return {
        "waiting": service.list_waiting(session, 50),
        "due": service.list_due(session, 50),
        "latest": service.list_latest(session, 12),
    }


def _check_own(answer: Registered) -> None:
    """Show a crew the reports that it registered itself, and no other: they hold names."""
    if answer.report.first_contact_id != _person().id:
        raise NotFoundError("There is no report %(report)s.", report=answer.report.id)


@reports.post("/calls")
@access.allow(*STAFF)
def take_call() -> ResponseReturnValue:
    """Register what a caller told, and show at once what is known."""
    fields = request.form.to_dict()
    channel = "phone" if _is_desk() else "crew"
    person, now = _person(), _now()
    try:
        draft = read_report(fields, channel)
        drawings = [
            draw_photo(file.read()) for file in request.files.getlist("photo") if file.filename
        ]
        with db.transaction() as session:
            photos = [
                keep_photo(session, one, person_id=person.id, now=now).sha256 for one in drawings
            ]
            draft = service.with_photos(draft, photos)
            told = service.register_report(session, draft, Actor.of(person), now)
    except FieldopsError as error:
        return _calls_page(fields, problem=_(error.msgid, **error.params)), error.status
    if fields.get("then") == "incident" and told.linked_incident is None and _is_desk():
        # In a transaction of its own: the call is kept, whatever becomes of the incident.
        _do(_open_incident, told.report.id)
    return redirect(url("reports.show_calls", report=told.report.id, _anchor="told"), 303)


def _open_incident(session: Session, report_id: str, actor: Actor, now: dt.datetime) -> object:
    is_separate = read_body(OpenBody, request.form.to_dict()).is_separate
    opening = service.open_incident_for(session, report_id, actor, now, is_separate=is_separate)
    if not opening.is_new:
        return _("Linked to %(incident)s, which is open here.", incident=opening.incident.id)
    return _(
        "%(incident)s is open; orders: %(orders)s.",
        incident=opening.incident.id,
        orders=", ".join(order.id for order in opening.orders) or "-",
    )


def _link(session: Session, report_id: str, actor: Actor, now: dt.datetime) -> object:
    incident = read_body(LinkBody, request.form.to_dict()).incident
    service.link_report(session, report_id, incident, actor, now)
    return _("Linked to %(incident)s.", incident=incident)


def _part(session: Session, report_id: str, actor: Actor, now: dt.datetime) -> object:
    service.part_report(session, report_id, actor, now)
    return _("The link is undone.")


def _place(session: Session, report_id: str, actor: Actor, now: dt.datetime) -> object:
    where = service.ReportDraft(**read_body(PlaceQuery, request.form.to_dict()).model_dump())
    after = service.place_report(session, report_id, where, actor, now)
    return _("The place is recorded.") if after.pipe else _("No pipe is near that place.")


def _take(session: Session, report_id: str, actor: Actor, now: dt.datetime) -> object:
    service.take_report(session, report_id, actor, now)
    return _("You are the first contact.")


def _answer(session: Session, report_id: str, actor: Actor, now: dt.datetime) -> object:
    service.answer_report(session, report_id, actor, now)
    return _("The enquiry is answered.")


def _flush(session: Session, report_id: str, actor: Actor, now: dt.datetime) -> object:
    order, _is_new = service.open_flushing(session, report_id, actor, now)
    return _("Flushing: %(order)s.", order=order.id)


def _call_back(session: Session, report_id: str, actor: Actor, now: dt.datetime) -> object:
    draft = read_body(CallBackBody, request.form.to_dict()).draft()
    after = service.record_call_back(session, report_id, draft, actor, now)
    return _(
        "Recorded. %(report)s: %(status)s.",
        report=after.id,
        status=words.STATUS_NAMES[after.status],
    )


DEEDS: dict[str, Callable[[Session, str, Actor, dt.datetime], object]] = {
    "incident": _open_incident,
    "link": _link,
    "part": _part,
    "place": _place,
    "take": _take,
    "answer": _answer,
    "flush": _flush,
    "call-back": _call_back,
}


def _do(deed: Callable[[Session, str, Actor, dt.datetime], object], report_id: str) -> None:
    """Do something about a report and tell the person what became of it."""
    try:
        with db.transaction() as session:
            done = deed(session, report_id, Actor.of(_person()), _now())
        flash(str(done), "done")
    except FieldopsError as error:
        flash(_(error.msgid, **error.params), "error")


@reports.post("/calls/<report_id>/<action>")
@access.allow(*DESK)
def act(report_id: str, action: str) -> ResponseReturnValue:
    """Do something about a report, and show it again."""
    deed = DEEDS.get(action)
    if deed is None:
        raise NotFoundError("A report knows no action %(action)s.", action=action)
    _do(deed, report_id)
    here = url("reports.show_calls", report=report_id, _anchor="told")
    return redirect(access.safe_next(request.form.get("next") or here), 303)


@reports.get("/incidents")
@access.allow(*OFFICE, menu=_l("Incidents"))
def list_incidents() -> ResponseReturnValue:
    """List what is under way, the heaviest first, and what ended last."""
    with db.transaction() as session:
        position = fetch_head(session)
        found, ended = incidents.list_open(session), incidents.list_closed(session)
        told = service.list_of_incidents(session, [one.key for one in found])
    counts: dict[int, int] = {}
    for one in told:
        if one.incident_key is not None:
            counts[one.incident_key] = counts.get(one.incident_key, 0) + 1
    return render_template(
        "incidents/incidents.html",
        incidents=found,
        ended=ended,
        counts=counts,
        now=_now(),
        words=incident_words,
        age=words.describe_age,
        page_data={"language": html_lang(), "position": position},
        page_words=page_words(),
    )


@reports.get("/incidents/<incident_id>")
@access.allow(*OFFICE)
def show_incident(incident_id: str) -> ResponseReturnValue:
    """Show an incident with its score, reports, orders, outages and history."""
    now = _now()
    with db.transaction() as session:
        position = fetch_head(session)
        file = service.open_file(session, incident_id)
        promises = {
            one.key: words.describe_promise(promise_of(session, one, now))
            for one in file.outages
            if one.status == "open"
        }
    return render_template(
        "incidents/incident.html",
        file=file,
        incident=file.incident,
        promises=promises,
        now=now,
        words=incident_words,
        report_words=words,
        order_words=order_words,
        is_desk=_is_desk(),
        page_data={"language": html_lang(), "position": position},
        page_words=page_words(),
    )


@reports.post("/incidents/<incident_id>/<action>")
@access.allow(*DESK)
def act_on_incident(incident_id: str, action: str) -> ResponseReturnValue:
    """Change, close or reopen an incident, or note that the fire service was told."""
    form = request.form
    body: dict[str, Any] = {name: form[name] for name in ("kind", "address") if form.get(name)}
    if action == "change":
        body |= {name: name in form for name in ("danger", "is_spreading")}
    version = form.get("base_version", "")
    operation = Operation(
        subject_kind="incident",
        subject_id=incident_id,
        action=action,
        body=body,
        base_version=int(version) if version.isascii() and version.isdigit() else None,
    )
    with db.transaction() as session:
        done = incidents.apply_operation(session, operation, Actor.of(_person()), _now())
    if done.status == "applied":
        flash(_("Recorded."), "done")
    elif done.conflicts:
        flash(_("Somebody else changed this meanwhile: look at it again."), "error")
    else:
        flash(_(done.message, **done.params), "error")
    return redirect(url("reports.show_incident", incident_id=incident_id), 303)
