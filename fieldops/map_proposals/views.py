"""The pages of proposals to the map."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import Blueprint, flash, redirect, render_template, request
from flask import url_for as url
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from fieldops import access, db
from fieldops.access import Role
from fieldops.errors import FieldopsError
from fieldops.events.service import Actor
from fieldops.map_proposals import forms, service

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from fieldops.access import Person

map_proposals = Blueprint("map_proposals", __name__)

DECIDERS = (Role.DISPATCHER, Role.PLANNER)
READERS = (*DECIDERS, Role.MANAGER)


def _person() -> Person:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the routes let nobody else through
    return person


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@map_proposals.get("/map-proposals")
@access.allow(*READERS, menu=_l("Proposals to the map"))
def list_proposals() -> ResponseReturnValue:
    """Show what waits for a decision, and what was decided last."""
    with db.transaction() as session:
        waiting, decided = service.list_proposals(session)
    return render_template(
        "map_proposals/proposals.html", waiting=waiting, decided=decided, names=forms
    )


@map_proposals.get("/map-proposals/<proposal_id>")
@access.allow(*READERS)
def show_proposal(proposal_id: str) -> ResponseReturnValue:
    """Show one proposal beside what is drawn now."""
    with db.transaction() as session:
        look = service.look_at(session, proposal_id)
    return render_template(
        "map_proposals/proposal.html",
        look=look,
        proposal=look.proposal,
        picture=forms.draw_look(look),
        facts=forms.say_facts(look.proposal.facts),
        may_decide=bool(_person().roles & set(DECIDERS)),
        is_own=look.proposal.proposed_by_id == _person().id,
        names=forms,
    )


@map_proposals.post("/map-proposals/<proposal_id>/<decision>")
@access.allow(*DECIDERS)
def decide(proposal_id: str, decision: str) -> ResponseReturnValue:
    """Change the map as proposed, or leave it and say why."""
    actor, now = Actor.of(_person()), _now()
    try:
        with db.transaction() as session:
            if decision == "approve":
                how = forms.read_decision(request.form)
                done = service.approve(session, proposal_id, how, actor, now)
            elif decision == "reject":
                reason = request.form.get("reason", "")[:2000]
                done = service.reject(session, proposal_id, reason, actor, now)
            else:
                raise FieldopsError("The request cannot be understood.")
    except service.CountedOnError as error:
        # An outage may have begun since the page was drawn: it is read of there, and asked about.
        flash(_(error.msgid, **error.params), "error")
        return redirect(url("map_proposals.show_proposal", proposal_id=proposal_id))
    if decision == "approve" and done.edit_key is None:
        flash(_("Approved. The map is as it was: what is only words is corrected by hand."), "done")
    elif decision == "approve":
        flash(_("Approved. The map and the tablets learn of it."), "done")
    else:
        flash(_("Rejected. Whoever proposed it reads why."), "done")
    return redirect(url("map_proposals.list_proposals"))
