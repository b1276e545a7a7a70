"""The pages of crews: who they are, what they may do, when they work, where they were last."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from fieldops import access, db
from fieldops.access import STAFF
from fieldops.crews import service as crews_service
from fieldops.crews.forms import SKILL_NAMES, read_body
from fieldops.crews.queries import Policy, fetch_policy
from fieldops.errors import ForbiddenError, NotFoundError
from fieldops.events.service import Actor
from fieldops.rosters import forms, queries, service
from fieldops.rosters.service import CrewDraft, MemberDraft, ShiftDraft

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.typing import ResponseReturnValue
    from sqlalchemy.orm import Session

    Change = Callable[[Session, str, Actor, dt.datetime], object]

rosters = Blueprint("rosters", __name__)


@rosters.get("/crews")
@access.allow(*STAFF, menu=_l("Crews"))
def list_crews() -> ResponseReturnValue:
    """List the crews that the person may see."""
    person, now = _person(), dt.datetime.now(dt.UTC)
    with db.transaction() as session:
        crews = crews_service.list_visible_crews(session, person, now)
        expiring = queries.count_expiring(session, crews_service.local_day(now))
        depots = queries.list_depots(session)
        policy = fetch_policy(session)
    return render_template(
        "crews/crews.html",
        crews=crews,
        expiring=expiring,
        depots=depots,
        policy=policy,
        now=now,
        skill_names=SKILL_NAMES,
        may_edit=_may_edit(),
    )


@rosters.post("/crews")
@access.allow("dispatcher", "manager", "admin")
def add_crew() -> ResponseReturnValue:
    """Add a crew."""
    draft = CrewDraft(**read_body(forms.NewCrewBody, request.form.to_dict()).model_dump())
    with db.transaction() as session:
        service.add_crew(session, draft, Actor.of(_person()), dt.datetime.now(dt.UTC))
    flash(_("Saved."), "done")
    return redirect(url_for("rosters.show_crew", crew=draft.id))


@rosters.post("/crews/policy")
@access.allow("manager", "admin")
def change_policy() -> ResponseReturnValue:
    """Set the utility's own limits about crews."""
    policy = Policy(**read_body(forms.PolicyBody, request.form.to_dict()).model_dump())
    with db.transaction() as session:
        service.change_policy(session, policy, Actor.of(_person()), dt.datetime.now(dt.UTC))
    flash(_("Saved."), "done")
    return redirect(url_for("rosters.list_crews"))


@rosters.get("/crews/<path:crew>")
@access.allow(*STAFF)
def show_crew(crew: str) -> ResponseReturnValue:
    """Show a crew: people, skills, equipment, shifts, vehicle, last position."""
    now = dt.datetime.now(dt.UTC)
    with db.transaction() as session:
        if not crews_service.may_see_crew(session, _person(), crew):
            raise ForbiddenError("The crew %(crew)s is not yours.", crew=crew)
        found = crews_service.find_crew(session, crew, now)
        record = service.describe_crew(session, found.key, now)
        depots = queries.list_depots(session)
    return render_template(
        "crews/crew.html",
        crew=found,
        record=record,
        depots=depots,
        now=now,
        skill_names=SKILL_NAMES,
        may_edit=_may_edit(),
    )


@rosters.post("/crews/<path:crew>/<any(facts,members,skills,equipment,shifts,removals):part>")
@access.allow("dispatcher", "manager", "admin")
def change_crew(crew: str, part: str) -> ResponseReturnValue:
    """Change one part of what is kept of a crew."""
    change = CHANGES[part](request.form.to_dict())
    with db.transaction() as session:
        change(session, crew, Actor.of(_person()), dt.datetime.now(dt.UTC))
    flash(_("Saved."), "done")
    return redirect(url_for("rosters.show_crew", crew=crew))


def _facts(form: dict[str, str]) -> Change:
    facts = read_body(forms.FactsBody, form).model_dump()
    base = facts.pop("base_version")
    return lambda session, crew, by, now: service.change_crew(session, crew, facts, base, by, now)


def _member(form: dict[str, str]) -> Change:
    draft = MemberDraft(**read_body(forms.MemberBody, form).model_dump())
    return lambda session, crew, by, now: service.add_member(session, crew, draft, by, now)


def _skill(form: dict[str, str]) -> Change:
    body = read_body(forms.SkillBody, form)
    return lambda session, crew, by, now: service.add_skill(
        session, crew, body.skill, body.valid_until, by, now, member_key=body.member_key
    )


def _equipment(form: dict[str, str]) -> Change:
    body = read_body(forms.EquipmentBody, form)
    return lambda session, crew, by, now: service.add_equipment(
        session, crew, body.name, body.valid_until, by, now, for_skill=body.for_skill
    )


def _shift(form: dict[str, str]) -> Change:
    draft = ShiftDraft(**read_body(forms.ShiftBody, form).model_dump())
    return lambda session, crew, by, now: service.plan_shifts(session, crew, draft, by, now)


def _removal(form: dict[str, str]) -> Change:
    body = read_body(forms.RemovalBody, form)
    if body.kind == "member":
        return lambda session, crew, by, now: service.end_member(session, crew, body.key, by, now)
    if body.kind == "shift":
        return lambda session, crew, by, now: service.remove_shift(session, crew, body.key, by, now)
    return lambda session, crew, by, now: service.remove_qualification(
        session, crew, body.kind, body.key, by, now
    )


CHANGES = {
    "facts": _facts,
    "members": _member,
    "skills": _skill,
    "equipment": _equipment,
    "shifts": _shift,
    "removals": _removal,
}


def _person() -> access.Person:
    person = access.current_person()
    if person is None:
        raise NotFoundError("Nobody is signed in.")
    return person


def _may_edit() -> bool:
    return bool(_person().roles & {"dispatcher", "manager", "admin"})
