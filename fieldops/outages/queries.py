"""SQL of outages: ids for keys and keys for ids, and what is written down about valves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geoalchemy2 import functions as postgis
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Double,
    Text,
    any_,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from fieldops.network.models import (
    ControlValve,
    Customer,
    Hydrant,
    Node,
    Pipe,
    Pump,
    Source,
    Valve,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

TABLES: dict[str, Any] = {
    "node": Node,
    "pipe": Pipe,
    "valve": Valve,
    "pump": Pump,
    "control_valve": ControlValve,
    "source": Source,
    "customer": Customer,
    "hydrant": Hydrant,
}


@dataclass(frozen=True, slots=True)
class Device:
    """What is recorded of a valve, pump or control valve, and where it stands."""

    table: str
    key: int
    id: str
    lon: float
    lat: float
    is_position_assumed: bool
    last_exercised_on: str | None
    turns: float | None
    closes: str | None
    valve_type: str | None
    diameter_mm: float | None
    extra: Mapping[str, Any]


def fetch_keys(
    session: Session, wanted: Mapping[str, Collection[str]]
) -> dict[str, dict[str, int]]:
    """Look the keys of some ids up, by table, in one statement; what is not there is left out."""
    found: dict[str, dict[str, int]] = {table: {} for table in wanted}
    selects = [
        select(literal(table), TABLES[table].id, TABLES[table].key).where(
            TABLES[table].id == any_(literal(list(ids), ARRAY(Text)))
        )
        for table, ids in wanted.items()
        if ids
    ]
    if selects:
        for table, text_id, key in session.execute(union_all(*selects)):
            found[table][text_id] = key
    return found


def fetch_ids(session: Session, wanted: Mapping[str, Collection[int]]) -> dict[str, dict[int, str]]:
    """Look the ids of some keys up, by table, in one statement."""
    found: dict[str, dict[int, str]] = {table: {} for table in wanted}
    selects = [
        select(literal(table), TABLES[table].key, TABLES[table].id).where(
            TABLES[table].key == _any_of(keys)
        )
        for table, keys in wanted.items()
        if keys
    ]
    if selects:
        for table, key, text_id in session.execute(union_all(*selects)):
            found[table][key] = text_id
    return found


def fetch_devices(
    session: Session, wanted: Mapping[str, Collection[int]]
) -> dict[tuple[str, int], Device]:
    """Read what is recorded of some devices, by table and key, in one statement."""
    selects = [_select_devices(table, keys) for table, keys in wanted.items() if keys]
    if not selects:
        return {}
    rows = [Device(*row) for row in session.execute(union_all(*selects))]
    return {(device.table, device.key): device for device in rows}


def fetch_lines(
    session: Session, pipe_keys: Collection[int]
) -> dict[int, list[tuple[float, float]]]:
    """Read the drawings of some pipes, as (lon, lat) from start to end."""
    query = select(Pipe.key, cast(postgis.ST_AsGeoJSON(Pipe.geometry, 7), JSONB)).where(
        Pipe.key == _any_of(pipe_keys)
    )
    return {key: [(x, y) for x, y in shape["coordinates"]] for key, shape in session.execute(query)}


def _select_devices(table: str, keys: Collection[int]) -> Select[Any]:
    model = TABLES[table]
    lon, lat = _place(model)

    def recorded(name: str, kind: Any) -> ColumnElement[Any]:  # noqa: ANN401 - any column type
        column = getattr(model, name, None)
        return cast(null(), kind) if column is None else cast(column, kind)

    return select(
        literal(table),
        model.key,
        model.id,
        lon,
        lat,
        func.coalesce(recorded("is_position_assumed", Boolean), literal(value=False)),
        recorded("last_exercised_on", Text),
        recorded("turns", Double),
        recorded("closes", Text),
        recorded("valve_type", Text),
        recorded("diameter_mm", Double),
        func.coalesce(model.extra, cast("{}", JSONB)),
    ).where(model.key == _any_of(keys))


def _place(model: Any) -> tuple[ColumnElement[float], ColumnElement[float]]:  # noqa: ANN401
    middle = postgis.ST_Centroid(model.geometry)
    return postgis.ST_X(middle), postgis.ST_Y(middle)


def _any_of(keys: Sequence[int] | Collection[int]) -> ColumnElement[Any]:
    return any_(literal(list(keys), ARRAY(BigInteger)))
