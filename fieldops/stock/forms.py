"""What a request about stock may say, and how stock is told to machines."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal  # noqa: TC003 - pydantic reads the annotations
from typing import TYPE_CHECKING, Any, Literal

from flask_babel import lazy_gettext as _l
from pydantic import Field

from fieldops.crews.forms import Body, read_body
from fieldops.errors import FieldopsError
from fieldops.stock.service import ItemDraft

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fieldops.stock.queries import Carried

KIND_NAMES = {
    "clamp": _l("repair clamp"),
    "pipe": _l("pipe segment"),
    "coupling": _l("coupling"),
    "valve": _l("valve"),
    "other": _l("other material"),
}
PLACE_KIND_NAMES = {"van": _l("van"), "depot": _l("depot")}
UNIT_NAMES = {"piece": _l("pieces"), "m": _l("m")}
MOVEMENT_NAMES = {
    "issue": _l("issue of materials"),
    "return": _l("given back"),
    "restock": _l("restocked"),
    "transfer": _l("moved"),
    "count": _l("counted"),
}
DOUBT_NAMES = {
    "de": _l("measure the outside diameter first"),
    "material": _l("the material of the pipe is not known"),
}


class PipeQuestion(Body):
    """The pipe that something has to fit."""

    dn: float | None = Field(default=None, gt=0, lt=10_000)
    de: float | None = Field(default=None, gt=0, lt=10_000)
    material: str | None = Field(default=None, max_length=20)
    kind: Literal["clamp", "pipe", "coupling", "valve", "other"] | None = None


class MoveBody(Body):
    """A movement of stock."""

    place: str = Field(max_length=30)
    item: str = Field(max_length=30)
    quantity: Decimal = Field(max_digits=12, decimal_places=2)
    order: str | None = Field(default=None, max_length=30)
    origin: str | None = Field(default=None, max_length=30)
    note: str | None = Field(default=None, max_length=300)


class IssueBody(MoveBody):
    """An issue of material, which is always for a work order."""

    order: str = Field(max_length=30)


class ItemBody(Body):
    """An item for the catalogue."""

    code: str = Field(max_length=40)
    name: str = Field(max_length=80)
    kind: Literal["clamp", "pipe", "coupling", "valve", "other"]
    unit: Literal["piece", "m"] = "piece"
    dn: int | None = Field(default=None, gt=0, lt=10_000)
    de_from_mm: float | None = Field(default=None, gt=0, lt=10_000)
    de_to_mm: float | None = Field(default=None, gt=0, lt=10_000)
    material: str | None = Field(default=None, max_length=20)


class StoreBody(Body):
    """The depot of a new store."""

    depot: int


@dataclass(frozen=True, slots=True)
class Pipe:
    """The pipe that something has to fit, as far as it is known."""

    dn: float | None
    de_mm: float | None
    material: str | None
    kind: str | None

    @property
    def is_asked(self) -> bool:
        """Tell whether there is anything to look for."""
        return self.dn is not None or self.de_mm is not None


def read_pipe(arguments: Mapping[str, str]) -> Pipe:
    """
    Read the pipe that something has to fit.

    Raises
    ------
    FieldopsError
        If a number is none.
    """
    body = read_body(PipeQuestion, dict(arguments))
    return Pipe(body.dn, body.de, body.material, body.kind)


def read_asked_pipe(arguments: Mapping[str, str]) -> Pipe:
    """
    Read the pipe that something has to fit, of which a diameter must be known.

    Raises
    ------
    FieldopsError
        If neither diameter is given.
    """
    pipe = read_pipe(arguments)
    if not pipe.is_asked:
        raise FieldopsError("Give the nominal diameter (dn) or the outside diameter (de) in mm.")
    return pipe


def read_move(body: object) -> MoveBody:
    """Read a movement."""
    return read_body(MoveBody, body)


def read_issue(body: object) -> IssueBody:
    """Read an issue of material."""
    return read_body(IssueBody, body)


def read_store(body: object) -> int:
    """Read of which depot to open the store."""
    return read_body(StoreBody, body).depot


def read_item(body: object) -> ItemDraft:
    """
    Read an item for the catalogue.

    Raises
    ------
    FieldopsError
        If its range is half given or the wrong way round.
    """
    read = read_body(ItemBody, body)
    first, last = read.de_from_mm, read.de_to_mm
    if (first is None) != (last is None) or (first or 0) > (last or 0):
        raise FieldopsError("Give both ends of the range of outside diameters, the smaller first.")
    return ItemDraft(**read.model_dump())


def carried_as_json(carried: Carried) -> dict[str, Any]:
    """Tell a machine who carries what fits."""
    item, place = carried.item, carried.place
    return {
        "place": {"id": place.id, "kind": place.kind, "name": place.name, "crew": place.crew_id},
        "item": {
            "id": item.id,
            "code": item.code,
            "name": item.name,
            "kind": item.kind,
            "unit": item.unit,
            "dn": item.dn,
            "de_from_mm": item.de_from_mm,
            "de_to_mm": item.de_to_mm,
            "material": item.material,
        },
        "quantity": float(carried.quantity),
        "is_certain": carried.is_certain,
        "doubts": list(carried.doubts),
    }
