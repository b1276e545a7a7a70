"""The page on which a dispatcher releases a valve by phone."""

from __future__ import annotations

import datetime as dt

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue  # noqa: TC002 - Flask's own word for an answer
from flask_babel import gettext as _

from fieldops import access, db
from fieldops.errors import ConflictError
from fieldops.events.service import Actor
from fieldops.live_outages.forms import say_state
from fieldops.release_codes import service
from fieldops.release_codes.forms import describe_effect, group_digits, read_asked

release_codes = Blueprint("release_codes", __name__)


def _person() -> access.Person:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the routes let nobody else through
    return person


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@release_codes.get("/releases")
@access.allow("dispatcher", "manager")
def show_giving() -> ResponseReturnValue:
    """Ask for outage, valve and tablet, and show what opening the valve would do."""
    asked = read_asked(request.args)
    with db.transaction() as session:
        outages = service.list_open(session)
        live = next((one for one in outages if one.id == asked.outage), None)
        valves = service.list_valves(live) if live else []
        is_chosen = bool(asked.other) or asked.valve in {one.valve for one in valves}
        effect, problem = None, ""
        if live is not None and is_chosen:
            try:
                effect = service.find_effect(session, asked.outage, asked.valve)
            except ConflictError as error:
                problem = _(error.msgid, **error.params)
        near, others = service.list_tablets(session, live)
        given = service.list_given(session)
    return render_template(
        "release_codes/releases.html",
        asked=asked,
        outages=outages,
        valves=valves,
        is_outage_chosen=live is not None,
        problem=problem,
        effect=effect,
        said=describe_effect(effect) if effect else [],
        near=near,
        others=others,
        given=given,
        say_state=say_state,
    )


@release_codes.post("/releases")
@access.allow("dispatcher", "manager")
def give_code() -> ResponseReturnValue:
    """Release a valve, and go to the page that shows the digits."""
    asked, person = read_asked(request.form), _person()
    try:
        with db.transaction() as session:
            key = service.give_code(
                session,
                asked.outage,
                asked.valve,
                asked.device,
                asked_by=request.form.get("asked_by", ""),
                is_heard="is_heard" in request.form,
                actor=Actor.of(person),
                now=_now(),
            )
    except ConflictError as error:
        flash(_(error.msgid, **error.params), "error")
        back = url_for(
            "release_codes.show_giving",
            outage=asked.outage,
            valve=asked.listed,
            other=asked.other or None,
            device=asked.device,
        )
        return redirect(back)
    return redirect(url_for("release_codes.show_code", key=key))


@release_codes.get("/releases/<int:key>")
@access.allow("dispatcher", "manager")
def show_code(key: int) -> ResponseReturnValue:
    """Show the digits to whoever gave them, as long as they are good."""
    with db.transaction() as session:
        given, code = service.read_code(session, key, _person().id, _now())
    return render_template(
        "release_codes/code.html",
        given=given,
        code=group_digits(code),
        until=service.good_until(given.window_number),
    )
