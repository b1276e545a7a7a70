"""SQL of stock: what lies where, what fits, and what moved."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from fieldops.stock.models import StockItem, StockLevel, StockMovement, StockPlace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A van or a depot's store; `crew_id` whose van it is."""

    key: int
    id: str
    kind: str
    name: str
    crew_id: str | None
    depot_key: int | None
    low: int = 0
    """How many items there are running low."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Material; null in `material` fits any, null in the range was never measured."""

    key: int
    id: str
    code: str
    name: str
    kind: str
    unit: str
    dn: int | None
    de_from_mm: float | None
    de_to_mm: float | None
    material: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How much of an item lies at a place."""

    place: Place
    item: Item
    quantity: Decimal
    low_at: Decimal

    @property
    def is_low(self) -> bool:
        """Tell whether it is time to restock."""
        return self.low_at > 0 and self.quantity <= self.low_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """
    Material that fits, and where it is.

    `is_certain`: outside diameter and material were both known and both fit; else they must be
    measured before somebody drives. `doubts` names which are not known: de, material.
    """

    place: Place
    item: Item
    quantity: Decimal
    doubts: tuple[str, ...]

    @property
    def is_certain(self) -> bool:
        """Tell whether nothing is left to measure."""
        return not self.doubts


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What moved, when, by whom, and for which work order."""

    key: int
    kind: str
    item: str
    unit: str
    origin: str | None
    target: str | None
    quantity: Decimal
    order_id: str | None
    person_name: str
    note: str | None
    at: dt.datetime


_PLACE = (
    "p.key AS place_key, p.id AS place_id, p.kind AS place_kind, p.name AS place_name,"
    " c.id AS crew_id, p.depot_key"
)
_ITEM = (
    "i.key AS item_key, i.id AS item_id, i.code, i.name AS item_name, i.kind AS item_kind,"
    " i.unit, i.dn, i.de_from_mm, i.de_to_mm, i.material"
)
_LEVELS = f"""
SELECT {_PLACE}, {_ITEM}, l.quantity, l.low_at
FROM stock_level l JOIN stock_place p ON p.key = l.place_key
JOIN stock_item i ON i.key = l.item_key LEFT JOIN crew c ON c.key = p.crew_key
WHERE p.is_active AND coalesce(c.is_active, true)"""  # noqa: S608 - constants

# Where an item has a measured range and the pipe a measured outside diameter, these decide, not
# the nominal one: DN 100 is 110 mm in PE, 118 in ductile iron and up to 125 in old asbestos cement.
_FITTING = text(
    _LEVELS
    + """
    AND l.quantity > 0 AND (CAST(:kind AS text) IS NULL OR i.kind = :kind)
    AND (i.material IS NULL OR CAST(:material AS text) IS NULL OR i.material = :material)
    AND CASE WHEN CAST(:de AS float8) IS NOT NULL AND i.de_from_mm IS NOT NULL
        THEN :de BETWEEN i.de_from_mm AND i.de_to_mm ELSE i.dn = CAST(:dn AS float8) END"""
)


def _place_of(row: Mapping[Any, Any]) -> Place:
    return Place(
        key=row["place_key"],
        id=row["place_id"],
        kind=row["place_kind"],
        name=row["place_name"],
        crew_id=row["crew_id"],
        depot_key=row["depot_key"],
    )


def _item_of(row: Mapping[Any, Any]) -> Item:
    same = ("code", "unit", "dn", "de_from_mm", "de_to_mm", "material")
    return Item(
        key=row["item_key"],
        id=row["item_id"],
        name=row["item_name"],
        kind=row["item_kind"],
        **{name: row[name] for name in same},
    )


def _level_of(row: Mapping[Any, Any]) -> Level:
    return Level(
        place=_place_of(row),
        item=_item_of(row),
        quantity=row["quantity"],
        low_at=row["low_at"],
    )


def fetch_fitting(
    session: Session,
    *,
    dn: float | None,
    de_mm: float | None,
    material: str | None,
    kind: str | None,
) -> list[Carried]:
    """Read what fits a pipe and lies somewhere; what is not known of the pipe is named."""
    values = {"dn": dn, "de": de_mm, "material": material, "kind": kind}
    return [
        Carried(
            place=_place_of(row),
            item=_item_of(row),
            quantity=row["quantity"],
            doubts=tuple(
                name
                for name, is_doubted in (
                    ("de", row["de_from_mm"] is None or de_mm is None),
                    ("material", row["material"] is not None and material is None),
                )
                # Pipe is bought by its nominal diameter; there is no range to measure.
                if is_doubted and not (name == "de" and row["item_kind"] == "pipe")
            ),
        )
        for row in session.execute(_FITTING, values).mappings()
    ]


def fetch_levels(session: Session, place_id: str) -> list[Level]:
    """Read what lies at a place, what runs low first."""
    query = text(
        _LEVELS + " AND p.id = :place ORDER BY l.quantity > l.low_at OR l.low_at = 0, i.code"
    )
    return [_level_of(row) for row in session.execute(query, {"place": place_id}).mappings()]


def fetch_low(session: Session) -> list[Level]:
    """Read what runs low anywhere."""
    query = text(
        _LEVELS + " AND l.low_at > 0 AND l.quantity <= l.low_at"
        " ORDER BY l.quantity / l.low_at, p.id, i.code"
    )
    return [_level_of(row) for row in session.execute(query).mappings()]


def fetch_places(session: Session) -> list[Place]:
    """Read every place, stores first."""
    query = text(
        f"SELECT {_PLACE}, (SELECT count(*) FROM stock_level l WHERE l.place_key = p.key"  # noqa: S608 - constants
        " AND l.low_at > 0 AND l.quantity <= l.low_at) AS low"
        " FROM stock_place p LEFT JOIN crew c ON c.key = p.crew_key"
        " WHERE p.is_active AND coalesce(c.is_active, true) ORDER BY p.kind, p.key"
    )
    rows = session.execute(query).mappings()
    return [
        Place(
            key=row["place_key"],
            id=row["place_id"],
            kind=row["place_kind"],
            name=row["place_name"],
            crew_id=row["crew_id"],
            depot_key=row["depot_key"],
            low=row["low"],
        )
        for row in rows
    ]


def fetch_items(session: Session) -> list[Item]:
    """Read every item of the catalogue."""
    query = text(f"SELECT {_ITEM} FROM stock_item i ORDER BY i.kind, i.dn, i.code")  # noqa: S608
    return [_item_of(row) for row in session.execute(query).mappings()]


def take(session: Session, place_key: int, item_key: int, quantity: Decimal) -> Decimal | None:
    """Take some away and give what is left; None if there is not so much."""
    query = (
        update(StockLevel)
        .where(
            StockLevel.place_key == place_key,
            StockLevel.item_key == item_key,
            StockLevel.quantity >= quantity,
        )
        .values(quantity=StockLevel.quantity - quantity)
        .returning(StockLevel.quantity)
    )
    return session.execute(query).scalars().one_or_none()


def put(session: Session, place_key: int, item_key: int, quantity: Decimal) -> Decimal:
    """Put some there and give how much there is."""
    query = upsert(StockLevel).values(place_key=place_key, item_key=item_key, quantity=quantity)
    query = query.on_conflict_do_update(
        index_elements=["place_key", "item_key"],
        set_={"quantity": StockLevel.quantity + quantity},
    )
    done: Decimal = session.execute(query.returning(StockLevel.quantity)).scalar_one()
    return done


def set_quantity(session: Session, place_key: int, item_key: int, quantity: Decimal) -> None:
    """Write how much there is."""
    query = upsert(StockLevel).values(place_key=place_key, item_key=item_key, quantity=quantity)
    session.execute(
        query.on_conflict_do_update(
            index_elements=["place_key", "item_key"], set_={"quantity": quantity}
        )
    )


def lock_level(session: Session, place_key: int, item_key: int) -> tuple[Decimal, Decimal] | None:
    """Read and hold how much there is, and when it is low."""
    query = (
        select(StockLevel.quantity, StockLevel.low_at)
        .where(StockLevel.place_key == place_key, StockLevel.item_key == item_key)
        .with_for_update()
    )
    row = session.execute(query).one_or_none()
    return None if row is None else (row[0], row[1])


def set_low(session: Session, place_key: int, item_key: int, low_at: Decimal) -> None:
    """Write from which quantity on an item is low at a place."""
    query = upsert(StockLevel).values(
        place_key=place_key, item_key=item_key, quantity=0, low_at=low_at
    )
    session.execute(
        query.on_conflict_do_update(
            index_elements=["place_key", "item_key"], set_={"low_at": low_at}
        )
    )


def find_place_and_item(session: Session, place_id: str, item_id: str) -> tuple[Place, Item] | None:
    """Read a place and an item; None if either is not there."""
    query = text(
        f"SELECT {_PLACE}, {_ITEM} FROM stock_item i, stock_place p"  # noqa: S608 - constants
        " LEFT JOIN crew c ON c.key = p.crew_key"
        " WHERE p.id = :place AND p.is_active AND i.id = :item"
    )
    row = session.execute(query, {"place": place_id, "item": item_id}).mappings().one_or_none()
    return None if row is None else (_place_of(row), _item_of(row))


def insert_movement(session: Session, **values: object) -> None:
    """Write what moved."""
    session.execute(insert(StockMovement).values(**values))


def insert_item(session: Session, **values: object) -> str:
    """Write a new item and give its id."""
    query = upsert(StockItem).values(**values).on_conflict_do_nothing(index_elements=["code"])
    made = session.execute(query.returning(StockItem.id)).scalars().one_or_none()
    return made or ""


def insert_place(session: Session, **values: object) -> str:
    """Write a new place and give its id; empty if its owner has one."""
    query = upsert(StockPlace).values(**values).on_conflict_do_nothing()
    made = session.execute(query.returning(StockPlace.id)).scalars().one_or_none()
    return made or ""


def fetch_depots_without_store(session: Session) -> list[tuple[int, str]]:
    """Read key and name of the depots that have no store yet."""
    query = text(
        "SELECT d.key, coalesce(d.name, d.id) FROM depot d WHERE NOT EXISTS"
        ' (SELECT FROM stock_place p WHERE p.depot_key = d.key) ORDER BY d.id COLLATE "C"'
    )
    return [(key, name) for key, name in session.execute(query)]


def fetch_is_drill(session: Session, order_id: str) -> bool | None:
    """Tell whether a work order is a drill's, None if there is none: its feature stands above."""
    query = text("SELECT is_drill FROM work_order WHERE id = :id")
    return session.execute(query, {"id": order_id}).scalars().one_or_none()


def fetch_movements(
    session: Session,
    *,
    place_key: int | None = None,
    order_id: str | None = None,
    limit: int = 50,
) -> list[Movement]:
    """Read what moved last, at a place or for a work order."""
    query = text("""
        SELECT m.key, m.kind, i.name AS item, i.unit, f.name AS origin, t.name AS target,
            m.quantity, m.order_id, m.person_name, m.note, m.at
        FROM stock_movement m JOIN stock_item i ON i.key = m.item_key
        LEFT JOIN stock_place f ON f.key = m.from_place_key
        LEFT JOIN stock_place t ON t.key = m.to_place_key
        WHERE (CAST(:place AS bigint) IS NULL
                OR m.from_place_key = :place OR m.to_place_key = :place)
            AND (CAST(:order AS text) IS NULL OR m.order_id = :order)
        ORDER BY m.key DESC LIMIT :limit""")
    values = {"place": place_key, "order": order_id, "limit": limit}
    rows = session.execute(query, values).mappings()
    return [Movement(**{**row, "at": row["at"].astimezone(dt.UTC)}) for row in rows]


def fetch_issued(session: Session, order_id: str) -> dict[int, Decimal]:
    """Read by item how much a work order has had, what it gave back taken off."""
    query = text(
        "SELECT item_key, sum(CASE kind WHEN 'issue' THEN quantity ELSE -quantity END)"
        " FROM stock_movement WHERE order_id = :order GROUP BY item_key"
    )
    return {key: left for key, left in session.execute(query, {"order": order_id})}  # noqa: C416
