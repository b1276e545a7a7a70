"""Stock: which van and depot carries what fits, and where it went."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from fieldops.crews.service import crews_of_person
from fieldops.errors import ConflictError, FieldopsError, ForbiddenError, NotFoundError
from fieldops.events.service import append_event
from fieldops.stock import queries
from fieldops.stock.queries import Carried, Item, Level, Movement, Place

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.orm import Session

    from fieldops.events.service import Actor, Event

__all__ = ["Carried", "Item", "Level", "Movement", "Place", "issue", "low_stock", "who_carries"]

KEEPERS = frozenset({"dispatcher", "manager", "admin", "system"})
"""Roles that may move any stock; a crew issues from its own van alone."""
MOST = Decimal(1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemDraft:
    """An item for the catalogue."""

    code: str
    name: str
    kind: str
    unit: str = "piece"
    dn: int | None = None
    de_from_mm: float | None = None
    de_to_mm: float | None = None
    material: str | None = None


@dataclass(frozen=True, slots=True)
class _Move:
    """What moves, who moves it, when, and what for."""

    item: Item
    quantity: Decimal
    actor: Actor
    now: dt.datetime
    order_id: str | None = None
    note: str = ""


def who_carries(
    session: Session,
    dn: float | None,
    de_mm: float | None,
    material: str | None,
    kind: str | None = None,
) -> list[Carried]:
    """
    Give who carries what fits a pipe, the surest first: vans before stores, tight before wide.

    Where the outside diameter or the material of the pipe is not known, nominal fits are given
    and marked: unknown is not the same as none.
    """
    found = queries.fetch_fitting(session, dn=dn, de_mm=de_mm, material=material, kind=kind)
    return sorted(found, key=_preference)


def _preference(carried: Carried) -> tuple[object, ...]:
    item = carried.item
    wide_mm = (item.de_to_mm or 0) - (item.de_from_mm or 0)
    return (
        len(carried.doubts),
        carried.place.kind != "van",
        item.kind,
        item.material is None,
        wide_mm,
        -carried.quantity,
        carried.place.key,
    )


def low_stock(session: Session) -> list[Level]:
    """Give what has to be restocked, the emptiest first."""
    return queries.fetch_low(session)


def issue(
    session: Session,
    place_id: str,
    item_id: str,
    quantity: Decimal,
    order_id: str,
    actor: Actor,
    now: dt.datetime,
) -> Decimal:
    """
    Issue material to a work order and give what is left there.

    Raises
    ------
    ConflictError
        If there is less at that place.
    ForbiddenError
        If a crew takes from another's van or from a store.
    NotFoundError
        If there is no such place, item or work order.
    """
    place, item = _find(session, place_id, item_id)
    _check_amount(quantity)
    _check_keeper(session, place, actor)
    is_drill = queries.fetch_is_drill(session, order_id)
    if is_drill is None:
        raise NotFoundError("There is no work order %(order)s.", order=order_id)
    move = _Move(item, quantity, actor, now, order_id)
    if is_drill:
        return _pretend(session, "stock.issued", move, place)
    left = _take(session, place, item, quantity)
    _note(session, "issue", move, origin=place)
    _tell(session, "stock.issued", move, place, left)
    return left


def give_back(
    session: Session,
    place_id: str,
    item_id: str,
    quantity: Decimal,
    order_id: str,
    actor: Actor,
    now: dt.datetime,
) -> Decimal:
    """
    Take material back that a work order had and did not use, and give how much there is.

    Raises
    ------
    ConflictError
        If the work order had less.
    """
    place, item = _find(session, place_id, item_id)
    _check_amount(quantity)
    _check_keeper(session, place, actor)
    move = _Move(item, quantity, actor, now, order_id)
    if queries.fetch_is_drill(session, order_id):
        return _pretend(session, "stock.returned", move, place)
    queries.lock_level(session, place.key, item.key)
    had = queries.fetch_issued(session, order_id).get(item.key, Decimal(0))
    if had < quantity:
        raise ConflictError(
            "The work order %(order)s has had %(had)s of %(item)s: %(quantity)s cannot come back.",
            order=order_id,
            had=plain(had),
            item=item.name,
            quantity=plain(quantity),
        )
    there = queries.put(session, place.key, item.key, quantity)
    _note(session, "return", move, target=place)
    _tell(session, "stock.returned", move, place, there)
    return there


def restock(
    session: Session,
    place_id: str,
    item_id: str,
    quantity: Decimal,
    actor: Actor,
    now: dt.datetime,
    *,
    from_place_id: str | None = None,
) -> Decimal:
    """
    Put material at a place, bought or out of a store, and give how much there is.

    Raises
    ------
    ConflictError
        If the store that it comes from has less.
    """
    place, item = _find(session, place_id, item_id)
    _check_amount(quantity)
    _check_keeper(session, place, actor)
    move, origin = _Move(item, quantity, actor, now), None
    if from_place_id and from_place_id != place_id:
        origin, _ = _find(session, from_place_id, item_id)
        left = _take(session, origin, item, quantity)
        _tell(session, "stock.transferred", move, origin, left)
    there = queries.put(session, place.key, item.key, quantity)
    kind = "transfer" if origin else "restock"
    _note(session, kind, move, origin=origin, target=place)
    _tell(session, "stock.restocked", move, place, there)
    return there


def count(
    session: Session,
    place_id: str,
    item_id: str,
    counted: Decimal,
    actor: Actor,
    now: dt.datetime,
    *,
    note: str = "",
) -> None:
    """Set how much there really is; the difference is a movement of its own."""
    place, item = _find(session, place_id, item_id)
    _check_keeper(session, place, actor)
    if not counted.is_finite() or not 0 <= counted < MOST:
        raise FieldopsError("The quantity must be a number from 0 to a million.")
    level = queries.lock_level(session, place.key, item.key)
    before = level[0] if level else Decimal(0)
    if counted == before:
        return
    queries.set_quantity(session, place.key, item.key, counted)
    origin, target = (place, None) if counted < before else (None, place)
    move = _Move(item, abs(counted - before), actor, now, note=note)
    _note(session, "count", move, origin=origin, target=target)
    _tell(session, "stock.counted", move, place, counted)


def set_low_mark(
    session: Session, place_id: str, item_id: str, low_at: Decimal, actor: Actor, now: dt.datetime
) -> None:
    """Set from which quantity on an item is low at a place; 0: never."""
    place, item = _find(session, place_id, item_id)
    _check_keeper(session, place, actor)
    if not low_at.is_finite() or not 0 <= low_at < MOST:
        raise FieldopsError("The quantity must be a number from 0 to a million.")
    queries.set_low(session, place.key, item.key, low_at)
    append_event(
        session,
        "stock.marked",
        ("stock", item.key),
        by=actor,
        now=now,
        body={"id": item.id, "place": place.id, "low_at": float(low_at)},
    )


def add_item(session: Session, draft: ItemDraft, actor: Actor, now: dt.datetime) -> str:
    """
    Add an item to the catalogue and give its id.

    Raises
    ------
    ConflictError
        If the code is taken.
    """
    values = {name: getattr(draft, name) for name in ItemDraft.__slots__}
    item_id = queries.insert_item(session, **values)
    if not item_id:
        raise ConflictError("There is an item %(code)s already.", code=draft.code)
    key = int(item_id.removeprefix("SI-"))
    body = {"id": item_id, "code": draft.code, "name": draft.name}
    append_event(session, "stock.item_added", ("stock", key), by=actor, now=now, body=body)
    return item_id


def add_store(session: Session, depot_key: int, actor: Actor, now: dt.datetime) -> str:
    """
    Open the store of a depot and give its id.

    Raises
    ------
    ConflictError
        If the depot is not there, or has one.
    """
    waiting = dict(queries.fetch_depots_without_store(session))
    if depot_key not in waiting:
        raise ConflictError("The depot has a store already, or is not there any more.")
    name = waiting[depot_key]
    place_id = queries.insert_place(session, kind="depot", name=name, depot_key=depot_key)
    _tell_place(session, place_id, name, actor, now)
    return place_id


def open_van(session: Session, event: Event) -> None:
    """Give a new crew the van that its stock lies in."""
    name = str(event.body.get("vehicle") or event.body["name"])
    queries.insert_place(session, kind="van", name=name, crew_key=event.subject_key)


HANDLERS = {"crew.added": open_van}


def plain(quantity: Decimal) -> str:
    """Write a quantity without noughts that say nothing."""
    return f"{quantity.normalize():f}"


def _find(session: Session, place_id: str, item_id: str) -> tuple[Place, Item]:
    found = queries.find_place_and_item(session, place_id, item_id)
    if found is None:
        raise NotFoundError(
            "There is no place %(place)s or no item %(item)s.", place=place_id, item=item_id
        )
    return found


def _check_amount(quantity: Decimal) -> None:
    if not quantity.is_finite() or not 0 < quantity < MOST:
        raise FieldopsError("The quantity must be a number above 0 and below a million.")


def _check_keeper(session: Session, place: Place, actor: Actor) -> None:
    if actor.roles & KEEPERS:
        return
    own = crews_of_person(session, actor.person_id) if actor.person_id else []
    if place.crew_id is None or place.crew_id not in {crew.id for crew in own}:
        raise ForbiddenError(
            "A crew moves the stock of its own van alone; %(place)s is not yours.",
            place=place.name,
        )


def _take(session: Session, place: Place, item: Item, quantity: Decimal) -> Decimal:
    left = queries.take(session, place.key, item.key, quantity)
    if left is None:
        level = queries.lock_level(session, place.key, item.key)
        raise ConflictError(
            "%(place)s has only %(there)s of %(item)s; %(quantity)s were asked for.",
            place=place.name,
            there=plain(level[0]) if level else "0",
            item=item.name,
            quantity=plain(quantity),
        )
    return left


def _pretend(session: Session, kind: str, move: _Move, place: Place) -> Decimal:
    """Let a drill move nothing: what lies there is needed for the real thing."""
    level = queries.lock_level(session, place.key, move.item.key)
    there = level[0] if level else Decimal(0)
    _tell(session, kind, move, place, there, is_drill=True)
    return there


def _note(
    session: Session,
    kind: str,
    move: _Move,
    *,
    origin: Place | None = None,
    target: Place | None = None,
) -> None:
    queries.insert_movement(
        session,
        kind=kind,
        item_key=move.item.key,
        from_place_key=origin.key if origin else None,
        to_place_key=target.key if target else None,
        quantity=move.quantity,
        order_id=move.order_id,
        person_id=move.actor.person_id,
        person_name=move.actor.name,
        note=move.note or None,
        at=move.now,
    )


def _tell(
    session: Session,
    kind: str,
    move: _Move,
    place: Place,
    there: Decimal,
    *,
    is_drill: bool = False,
) -> None:
    body = {
        "id": move.item.id,
        "item": move.item.name,
        "place": place.id,
        "place_name": place.name,
        "crew": place.crew_id,
        "moved": float(move.quantity),
        "quantity": float(there),
        "order": move.order_id,
        "is_drill": is_drill,
    }
    subject = ("stock", move.item.key)
    append_event(session, kind, subject, by=move.actor, now=move.now, body=body)


def _tell_place(session: Session, place_id: str, name: str, actor: Actor, now: dt.datetime) -> None:
    key = int(place_id.removeprefix("SP-"))
    body = {"id": place_id, "name": name}
    append_event(session, "stock.place_added", ("stock", key), by=actor, now=now, body=body)
