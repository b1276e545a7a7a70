"""SQL of questions: ids for keys and keys for ids, and what is written down about valves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy.orm import Session

    Line = list[tuple[float, float]]

TABLES = frozenset(
    {"node", "pipe", "valve", "pump", "control_valve", "source", "customer", "hydrant"}
)
# Written as text: this is asked with every click, and building statements costs more than running
# them. Table names come from TABLES alone.
_KEYS = "SELECT '{0}', id, key FROM {0} WHERE id = ANY(:{0})"
_LINE = "SELECT 'line', ST_AsGeoJSON(geometry, 9), key FROM pipe WHERE id = ANY(:line)"
_IDS = "SELECT '{0}', key, id FROM {0} WHERE key = ANY(:{0})"
_DEVICES = {
    "valve": (
        "SELECT 'valve', key, id, {place}, is_position_assumed, last_exercised_on, turns, closes,"
        " valve_type, diameter_mm, extra FROM {0} WHERE key = ANY(:{0})"
    ),
    "pump": (
        "SELECT 'pump', key, id, {place}, false, {no_text}, {no_number}, {no_text}, {no_text},"
        " {no_number}, extra FROM {0} WHERE key = ANY(:{0})"
    ),
    "control_valve": (
        "SELECT 'control_valve', key, id, {place}, is_position_assumed, {no_text}, {no_number},"
        " {no_text}, type, {no_number}, extra FROM {0} WHERE key = ANY(:{0})"
    ),
}
_WORDS = {
    "place": "ST_X(ST_Centroid(geometry)), ST_Y(ST_Centroid(geometry))",
    "no_text": "CAST(NULL AS text)",
    "no_number": "CAST(NULL AS double precision)",
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
    session: Session, wanted: Mapping[str, Collection[str]], line_of: str | None = None
) -> tuple[dict[str, dict[str, int]], Line | None]:
    """
    Look the keys of some ids up, by table, in one statement; what is not there is left out.

    With them comes the drawing of one pipe if asked for, as (lon, lat) from start to end.
    """
    found: dict[str, dict[str, int]] = {table: {} for table in wanted}
    line = None
    asked = {**wanted, "line": [line_of]} if line_of else wanted
    for table, text_id, key in _ask(
        session, asked, {**dict.fromkeys(TABLES, _KEYS), "line": _LINE}
    ):
        if table == "line":
            line = [(x, y) for x, y in json.loads(text_id)["coordinates"]]
        else:
            found[table][text_id] = key
    return found, line


def fetch_ids(session: Session, wanted: Mapping[str, Collection[int]]) -> dict[str, dict[int, str]]:
    """Look the ids of some keys up, by table, in one statement."""
    found: dict[str, dict[int, str]] = {table: {} for table in wanted}
    for table, key, text_id in _ask(session, wanted, dict.fromkeys(TABLES, _IDS)):
        found[table][key] = text_id
    return found


def fetch_devices(
    session: Session, wanted: Mapping[str, Collection[int]]
) -> dict[tuple[str, int], Device]:
    """Read what is recorded of some devices, by table and key, in one statement."""
    rows = [Device(*row) for row in _ask(session, wanted, _DEVICES)]
    return {(device.table, device.key): device for device in rows}


def _ask(
    session: Session, wanted: Mapping[str, Collection[Any]], selects: Mapping[str, str]
) -> list[Any]:
    """Ask several tables at once; one that nothing is wanted of is left out."""
    asked = {table: list(those) for table, those in wanted.items() if those}
    if not asked:
        return []
    query = " UNION ALL ".join(selects[table].format(table, **_WORDS) for table in sorted(asked))
    return list(session.execute(text(query), asked))
