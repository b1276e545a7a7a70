"""The pages of stock: what runs low, who carries what fits, and what moved."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from fieldops import access, db
from fieldops.errors import NotFoundError
from fieldops.events.service import Actor
from fieldops.stock import forms, queries, service

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.typing import ResponseReturnValue
    from sqlalchemy.orm import Session

    from fieldops.stock.forms import MoveBody

    Move = Callable[[Session, MoveBody, Actor, dt.datetime], object]

stock = Blueprint("stock", __name__)


@stock.app_template_filter("plain")
def plain(quantity: object) -> str:
    """Write a quantity without noughts that say nothing."""
    return service.plain(quantity)  # type: ignore[arg-type]


@stock.get("/stock")
@access.allow("crew", "dispatcher", "planner", "manager", "admin", menu=_l("Materials"))
def show_stock() -> ResponseReturnValue:
    """Show what runs low, who carries what fits a pipe, and every place."""
    pipe = forms.read_pipe(request.args)
    with db.transaction() as session:
        found = (
            service.who_carries(session, pipe.dn, pipe.de_mm, pipe.material, pipe.kind)
            if pipe.is_asked
            else None
        )
        return render_template(
            "stock/stock.html",
            pipe=pipe,
            found=found,
            low=service.low_stock(session),
            places=queries.fetch_places(session),
            movements=queries.fetch_movements(session, limit=20),
            depots=queries.fetch_depots_without_store(session),
            **_words(),
        )


@stock.get("/stock/<place>")
@access.allow("crew", "dispatcher", "planner", "manager", "admin")
def show_place(place: str) -> ResponseReturnValue:
    """Show what lies at a place, and what moved there."""
    with db.transaction() as session:
        places = queries.fetch_places(session)
        here = next((each for each in places if each.id == place), None)
        if here is None:
            raise NotFoundError("There is no place %(place)s.", place=place)
        return render_template(
            "stock/place.html",
            place=here,
            places=places,
            levels=queries.fetch_levels(session, place),
            items=queries.fetch_items(session),
            movements=queries.fetch_movements(session, place_key=here.key),
            **_words(),
        )


@stock.post("/stock/<place>/<any(issue,return,restock,count,mark):part>")
@access.allow("crew", "dispatcher", "manager", "admin")
def move(place: str, part: str) -> ResponseReturnValue:
    """Move material at a place."""
    sent = {**request.form.to_dict(), "place": place}
    body = forms.read_issue(sent) if part in {"issue", "return"} else forms.read_move(sent)
    with db.transaction() as session:
        MOVES[part](session, body, _actor(), dt.datetime.now(dt.UTC))
    flash(_("Saved."), "done")
    return redirect(url_for("stock.show_place", place=place))


@stock.post("/stock/items")
@access.allow("dispatcher", "manager", "admin")
def add_item() -> ResponseReturnValue:
    """Add an item to the catalogue."""
    draft = forms.read_item(request.form.to_dict())
    with db.transaction() as session:
        service.add_item(session, draft, _actor(), dt.datetime.now(dt.UTC))
    flash(_("Saved."), "done")
    return redirect(url_for("stock.show_stock"))


@stock.post("/stock/stores")
@access.allow("dispatcher", "manager", "admin")
def add_store() -> ResponseReturnValue:
    """Open the store of a depot."""
    depot_key = forms.read_store(request.form.to_dict())
    with db.transaction() as session:
        place = service.add_store(session, depot_key, _actor(), dt.datetime.now(dt.UTC))
    flash(_("Saved."), "done")
    return redirect(url_for("stock.show_place", place=place))


MOVES: dict[str, Move] = {
    "issue": lambda session, body, by, now: service.issue(
        session, body.place, body.item, body.quantity, body.order or "", by, now
    ),
    "return": lambda session, body, by, now: service.give_back(
        session, body.place, body.item, body.quantity, body.order or "", by, now
    ),
    "restock": lambda session, body, by, now: service.restock(
        session, body.place, body.item, body.quantity, by, now, from_place_id=body.origin
    ),
    "count": lambda session, body, by, now: service.count(
        session, body.place, body.item, body.quantity, by, now, note=body.note or ""
    ),
    "mark": lambda session, body, by, now: service.set_low_mark(
        session, body.place, body.item, body.quantity, by, now
    ),
}


def _actor() -> Actor:
    person = access.current_person()
    assert person is not None  # noqa: S101 - the routes let nobody else through
    return Actor.of(person)


def _words() -> dict[str, object]:
    person = access.current_person()
    return {
        "kind_names": forms.KIND_NAMES,
        "place_names": forms.PLACE_KIND_NAMES,
        "unit_names": forms.UNIT_NAMES,
        "movement_names": forms.MOVEMENT_NAMES,
        "doubt_names": forms.DOUBT_NAMES,
        "may_keep": bool(person and person.roles & {"dispatcher", "manager", "admin"}),
        "may_issue": bool(person and person.roles & {"crew", "dispatcher", "manager", "admin"}),
    }
