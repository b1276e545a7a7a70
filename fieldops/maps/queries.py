"""SQL that cuts the network into tiles and finds things in it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import TextClause
    from sqlalchemy.orm import Session

PARTS_OF_A_PIPE = 64
"""A part's feature id is the pipe's key times this, plus the number of the part."""
HALF_WORLD_M = 20037508.342789244
"""Half the side of the square that Web Mercator shows."""
MARGIN = 1 / 64
"""What a tile holds beyond each edge, in its widths, so that symbols are not cut."""
FIRST_EXACT_ZOOM = 13
"""Farther views come from a baked file."""
DEEPEST_ZOOM = 16
"""Deeper views enlarge these tiles; a unit of theirs is 15 cm."""


class Tile(NamedTuple):
    """A square of the map: zoom, column from the west, row from the north."""

    z: int
    x: int
    y: int

    def is_there(self) -> bool:
        """Tell whether the grid has such a tile."""
        return 0 <= self.z <= DEEPEST_ZOOM and all(0 <= n < 1 << self.z for n in (self.x, self.y))

    def bounds_m(self) -> tuple[float, float, float, float]:
        """Give west, south, east and north in Web Mercator."""
        side = 2 * HALF_WORLD_M / (1 << self.z)
        west, north = self.x * side - HALF_WORLD_M, HALF_WORLD_M - self.y * side
        return west, north - side, west + side, north

    def bounds_degrees(self) -> tuple[float, float, float, float]:
        """Give west, south, east and north in degrees, with the margin around it."""
        west, south, east, north = self.bounds_m()
        margin = (east - west) * MARGIN
        return (
            _degrees_east(west - margin),
            _degrees_north(south - margin),
            _degrees_east(east + margin),
            _degrees_north(north + margin),
        )


def _degrees_east(x_m: float) -> float:
    return max(-180.0, min(180.0, x_m / HALF_WORLD_M * 180))


def _degrees_north(y_m: float) -> float:
    angle = math.atan(
        math.sinh(max(-HALF_WORLD_M, min(HALF_WORLD_M, y_m)) / HALF_WORLD_M * math.pi)
    )
    return math.degrees(angle)


PIPE_PARTS = """
    SELECT p.key * 64 AS fid, p.id, p.diameter_mm, p.material, p.class, p.status,
           0 AS part, p.geometry
    FROM pipe p
    WHERE p.geometry && {box} AND p.cuts_m IS NULL
    UNION ALL
    SELECT p.key * 64 + least(c.part, 63), p.id, p.diameter_mm, p.material, p.class,
           p.status, c.part, ST_LineSubstring(p.geometry, c.since, greatest(c.since, c.until))
    FROM pipe p
    CROSS JOIN LATERAL (
        SELECT part,
               least(1, coalesce(p.cuts_m[part] / nullif(p.length_m, 0), 0)) AS since,
               least(1, coalesce(p.cuts_m[part + 1] / nullif(p.length_m, 0), 1)) AS until
        FROM generate_series(0, cardinality(p.cuts_m)) AS part
    ) c
    WHERE p.geometry && {box} AND p.cuts_m IS NOT NULL
"""
"""The parts of the pipes that cross the box: only a pipe with valves on it is cut."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a tile: from which zoom on, which columns, and the rows they come from."""

    name: str
    from_zoom: int
    columns: str
    rows: str


def _layer(name: str, from_zoom: int, table: str, columns: str = "") -> Layer:
    rows = f"SELECT *, key AS fid FROM {table} WHERE geometry && {{box}}"  # noqa: S608 - literals
    return Layer(name, from_zoom, f"id{columns}", rows)


LAYERS = (
    Layer("pipes", 0, "id, diameter_mm, material, class, status, part", PIPE_PARTS),
    _layer("sources", 0, "source", ", type, extra->>'name' AS name"),
    _layer("depots", 0, "depot", ", name"),
    _layer("pumps", 13, "pump", ", status"),
    _layer("control_valves", 13, "control_valve", ", status, type"),
    _layer("roads", 14, "road", ", name"),
    Layer(
        "valves",
        14,
        "id, boundary, type",
        "SELECT key AS fid, id, boundary, valve_type AS type, CASE GeometryType(geometry)"
        " WHEN 'POINT' THEN geometry ELSE ST_LineInterpolatePoint(geometry, 0.5) END AS geometry"
        " FROM valve WHERE geometry && {box}",
    ),
    Layer(
        "valve_links",
        14,
        "id",
        "SELECT key AS fid, id, geometry FROM valve"
        " WHERE geometry && {box} AND GeometryType(geometry) <> 'POINT'",
    ),
    _layer("hydrants", 15, "hydrant"),
    _layer("customers", 15, "customer", ", critical"),
    _layer("nodes", 16, "node"),
)
SIMPLE_PIPES = """
    SELECT * FROM (
        SELECT key * 64 AS fid, id, diameter_mm, material, class, status, 0 AS part,
               geometry
        FROM pipe WHERE geometry && {box}
        ORDER BY diameter_mm DESC LIMIT 6000
    ) widest
"""
"""What a far view shows until its tiles are baked: the widest pipes, uncut."""
SIMPLE_LAYERS = (replace(LAYERS[0], rows=SIMPLE_PIPES), *LAYERS[1:])
DEGREES = "ST_MakeEnvelope(:west, :south, :east, :north, 4326)"
METRES = "ST_MakeEnvelope(:west_m, :south_m, :east_m, :north_m, 3857)"


def _select_layer(layer: Layer) -> str:
    shape = f"ST_AsMVTGeom(ST_Transform(geometry, 3857), {METRES}, 4096, 64, true)"
    rows = layer.rows.format(box=DEGREES)
    return (
        f"coalesce((SELECT ST_AsMVT(tile, '{layer.name}', 4096, 'shape', 'fid') FROM"  # noqa: S608 - literals
        f" (SELECT fid, {layer.columns}, {shape} AS shape FROM ({rows}) thing ORDER BY fid) tile),"
        " '')"
    )


@cache
def _tile_statement(zoom: int) -> TextClause:
    """Write the one statement that makes a tile of this zoom."""
    layers = LAYERS if zoom >= FIRST_EXACT_ZOOM else SIMPLE_LAYERS
    parts = [_select_layer(layer) for layer in layers if zoom >= layer.from_zoom]
    return text("SELECT " + " || ".join(parts))


def make_tile(session: Session, tile: Tile) -> bytes:
    """Cut one tile out of the network as it stands."""
    # To start helpers takes longer than the whole tile.
    session.execute(text("SET LOCAL max_parallel_workers_per_gather = 0"))
    west_m, south_m, east_m, north_m = tile.bounds_m()
    west, south, east, north = tile.bounds_degrees()
    values = {
        "west_m": west_m, "south_m": south_m, "east_m": east_m, "north_m": north_m,
        "west": west, "south": south, "east": east, "north": north,
    }  # fmt: skip
    return bytes(session.execute(_tile_statement(tile.z), values).scalar_one())


FAR_PIPES = """
    SELECT json_build_object(
        'type', 'Feature', 'id', thing.fid,
        'properties', json_strip_nulls(json_build_object(
            'id', thing.id, 'diameter_mm', thing.diameter_mm, 'material', thing.material,
            'class', thing.class, 'status', thing.status, 'part', thing.part)),
        'tippecanoe', json_build_object('layer', 'pipes', 'minzoom', CASE
            WHEN thing.diameter_mm >= :widest THEN 0
            WHEN thing.diameter_mm >= :wide THEN 9
            WHEN thing.diameter_mm >= :middling THEN 11
            ELSE 12 END),
        'geometry', ST_AsGeoJSON(thing.geometry, 6)::json)::text
    FROM ({rows}) thing
    WHERE ST_Length(thing.geometry) > 0
"""
FAR_POINTS = """
    SELECT json_build_object(
        'type', 'Feature', 'id', key,
        'properties', json_strip_nulls(json_build_object({properties})),
        'tippecanoe', json_build_object('layer', '{table}s'),
        'geometry', ST_AsGeoJSON(geometry, 6)::json)::text
    FROM {table}
"""
DIAMETERS = """
    SELECT percentile_disc(ARRAY[0.97, 0.85, 0.5]) WITHIN GROUP (ORDER BY diameter_mm), count(*)
    FROM pipe
"""
SMALL_NETWORK = 20_000
"""So many pipes are drawn at every zoom."""


def stream_far_features(session: Session) -> Iterator[str]:
    """Give what far views show, one GeoJSON feature a line, in the layers of the near tiles."""
    thresholds, count = session.execute(text(DIAMETERS)).one()
    widest, wide, middling = thresholds if count > SMALL_NETWORK else (0, 0, 0)
    every = PIPE_PARTS.replace("p.geometry && {box} AND", "")
    statements: tuple[tuple[str, dict[str, float]], ...] = (
        (FAR_PIPES.format(rows=every), {"widest": widest, "wide": wide, "middling": middling}),
        (FAR_POINTS.format(table="source", properties=FAR_SOURCE), {}),
        (FAR_POINTS.format(table="depot", properties="'id', id, 'name', name"), {}),
    )
    for statement, values in statements:
        rows = session.execute(text(statement), values, execution_options={"yield_per": 2000})
        yield from rows.scalars()


FAR_SOURCE = "'id', id, 'type', type, 'name', extra->>'name'"


@dataclass(frozen=True, slots=True)
class Extent:
    """Where the network lies, in degrees."""

    west: float
    south: float
    east: float
    north: float


def fetch_extent(session: Session) -> Extent | None:
    """Find where the pipes lie from the index, or None when there are none."""
    row = session.execute(
        text(
            "SELECT ST_XMin(box), ST_YMin(box), ST_XMax(box), ST_YMax(box) FROM ("
            "SELECT CASE WHEN EXISTS (SELECT FROM pipe) THEN coalesce("
            "ST_EstimatedExtent('pipe', 'geometry'), (SELECT ST_Extent(geometry) FROM pipe)"
            ") END AS box) there"
        )
    ).one()
    return None if row[0] is None else Extent(*row)


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that a search found."""

    kind: str
    id: str
    label: str
    lon: float
    lat: float


LABELS = {
    "pipe": "coalesce(extra->>'road', '')",
    "valve": "''",
    "control_valve": "''",
    "pump": "''",
    "hydrant": "''",
    "node": "''",
    "source": "coalesce(extra->>'name', '')",
    "customer": "coalesce(extra->>'address', '')",
    "road": "coalesce(name, '')",
    "depot": "coalesce(name, '')",
}
"""What stands beside the id of each kind; in this order ids that begin alike are listed."""
MIDDLE = "ST_LineInterpolatePoint(geometry, 0.5)"
POINT = {
    **dict.fromkeys(("pipe", "pump", "control_valve", "road"), MIDDLE),
    "valve": f"CASE GeometryType(geometry) WHEN 'POINT' THEN geometry ELSE {MIDDLE} END",
}
PAST_EVERY_LETTER = chr(0x10FFFF)


def _points(kind: str, condition: str = "true") -> str:
    """Select the things of a kind as `Found` has them, and their key."""
    point = POINT.get(kind, "geometry")
    return (
        f"SELECT '{kind}' AS kind, key, id, {LABELS[kind]} AS label, ST_X(point) AS lon,"  # noqa: S608 - literals
        f" ST_Y(point) AS lat FROM (SELECT *, {point} AS point FROM {kind}) thing"
        f" WHERE {condition}"
    )


@cache
def _id_statement(spellings: int) -> TextClause:
    """Write the statement that finds ids by so many spellings of their beginning."""
    # A range, because the ids stand in the order of their bytes: every index knows it, LIKE needs
    # luck. One branch a spelling, because only then does each stop at its first rows.
    branches = " UNION ALL ".join(
        f"(SELECT *, {rank} AS rank FROM ({_points(kind, _BEGINNING.format(n))}"  # noqa: S608 - literals
        " ORDER BY id LIMIT :most) one)"
        for rank, kind in enumerate(LABELS)
        for n in range(spellings)
    )
    return text(
        f"SELECT kind, id, label, lon, lat FROM ({branches}) found"  # noqa: S608 - literals
        " ORDER BY lower(id) <> :lower, length(id) > length(:lower) + 3, rank, id LIMIT :most"
    )


_BEGINNING = "id >= :start{0} AND id < :end{0}"
FIND_WORDS = """
    SELECT kind, id, label, lon, lat FROM search_text WHERE {condition}
    ORDER BY kind IN ('node', 'hydrant'), kind = 'pipe', length(words), words, key LIMIT :most
"""
FIND_LABELS = text(FIND_WORDS.format(condition="label >= :typed AND label < :typed_end"))
FIND_PARTS = text(FIND_WORDS.format(condition=r"words LIKE :pattern ESCAPE '\'"))
LEAST_OF_TRIGRAMS = 3
"""The index of words knows them by three letters; shorter texts are sought as beginnings."""


def find_ids(session: Session, typed: str, most: int) -> list[Found]:
    """Find what has an id that begins so, whatever the case of its letters."""
    spellings = list(dict.fromkeys((typed, typed.upper(), typed.lower())))
    values: dict[str, object] = {"most": most, "lower": typed.lower()}
    for number, start in enumerate(spellings):
        values |= {f"start{number}": start, f"end{number}": start + PAST_EVERY_LETTER}
    return [Found(*row) for row in session.execute(_id_statement(len(spellings)), values)]


def find_words(session: Session, typed: str, most: int) -> list[Found]:
    """Find what has these letters anywhere in its id, address or name, or in how it is spelt."""
    if len(typed) == 2 and typed.isascii() and typed.isalpha():
        # The blank before it is the third letter that the index wants.
        values = {"pattern": f"% {typed.lower()}%", "most": most}
        return [Found(*row) for row in session.execute(FIND_PARTS, values)]
    if len(typed) < LEAST_OF_TRIGRAMS:
        values = {"typed": typed, "typed_end": typed + PAST_EVERY_LETTER, "most": most}
        return [Found(*row) for row in session.execute(FIND_LABELS, values)]
    escaped = "".join(f"\\{letter}" if letter in r"\%_" else letter for letter in typed.lower())
    values = {"pattern": f"%{escaped}%", "most": most}
    return [Found(*row) for row in session.execute(FIND_PARTS, values)]


def read_searched_revision(session: Session) -> int | None:
    """Read of which drawing the words to search in are; None before any."""
    return session.execute(text("SELECT geometry_revision FROM search_state")).scalar()


def write_search_texts(session: Session, geometry_revision: int) -> None:
    """Write down anew what everything can be found by, in characters and as they are spelt."""
    session.execute(text("DELETE FROM search_text"))
    _write_spellings(session)
    for kind in LABELS:
        session.execute(
            text(
                "INSERT INTO search_text (kind, key, id, label, words, lon, lat)"  # noqa: S608 - literals
                " SELECT kind, key, id, left(label, 300),"
                " left(concat_ws(' ', lower(id || ' ' || label), spelt), 900), lon, lat"
                f" FROM ({_points(kind)}) thing LEFT JOIN spelling USING (label)"
                " WHERE lon IS NOT NULL"
            )
        )
    session.execute(text("DROP TABLE spelling"))
    session.execute(
        text(
            "INSERT INTO search_state (geometry_revision) VALUES (:revision)"
            " ON CONFLICT (is_only) DO UPDATE SET geometry_revision = :revision"
        ),
        {"revision": geometry_revision},
    )


LABELS_AT_A_TIME = 5000
CHINESE = re.compile("[\u4e00-\u9fff]+")


def _write_spellings(session: Session) -> None:
    """Spell every address and name once, in a table that lasts as long as it is needed."""
    session.execute(text("CREATE TEMPORARY TABLE spelling (label text, spelt text)"))
    for kind, label in LABELS.items():
        if label == "''":
            continue
        rows = session.execute(
            text(f"SELECT DISTINCT {label} AS label FROM {kind} WHERE {label} ~ '[\u4e00-\u9fff]'"),  # noqa: S608 - literals
            execution_options={"yield_per": LABELS_AT_A_TIME},
        )
        for some in rows.scalars().partitions():
            session.execute(
                text(
                    "INSERT INTO spelling SELECT * FROM"
                    " unnest(CAST(:labels AS text[]), CAST(:spelt AS text[]))"
                ),
                {"labels": list(some), "spelt": [spell(one) for one in some]},
            )
    # Two kinds may have a name in common, and each thing must be found once.
    session.execute(
        text("DELETE FROM spelling a USING spelling b WHERE a.label = b.label AND a.ctid > b.ctid")
    )
    session.execute(text("ANALYZE spelling"))


def spell(label: str) -> str:
    """Spell a label in pinyin: the initials, then in full."""
    initials = CHINESE.sub(lambda run: _spell_run(run[0])[0], label)
    full = CHINESE.sub(lambda run: _spell_run(run[0])[1], label)
    return f"{initials} {full}".lower()


@lru_cache(maxsize=100_000)
def _spell_run(run: str) -> tuple[str, str]:
    """Spell characters that stand together; streets and compounds come again and again."""
    # Its dictionaries take a third of a second, and only the worker needs them.
    from pypinyin import Style, lazy_pinyin  # noqa: PLC0415

    return "".join(lazy_pinyin(run, style=Style.FIRST_LETTER)), "".join(lazy_pinyin(run))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a thing is, and what is recorded of it that a map's sheet shows."""

    kind: str
    id: str
    key: int
    lon: float
    lat: float
    facts: dict[str, object]


VALVE_FACTS = """
    'position', position, 'operability', operability, 'reachable', reachable,
    'boundary', boundary, 'is_position_assumed', is_position_assumed
"""
FACTS = {
    "pipe": "'diameter_mm', diameter_mm, 'material', material, 'laid_on', laid_on,"
    " 'length_m', length_m, 'zone', zone, 'status', status",
    "valve": f"{VALVE_FACTS}, 'turns', turns, 'closes', closes, 'valve_type', valve_type,"
    " 'last_exercised_on', last_exercised_on, 'at_m', at_m, 'pipe', pipe_id,"
    " 'is_absent', coalesce(CAST(extra -> 'absent' AS boolean), false)",
    "control_valve": f"{VALVE_FACTS}, 'valve_type', type",
    "customer": "'critical', critical",
}

MORE = {"valve": ", (SELECT pipe.id FROM pipe WHERE pipe.key = valve.pipe_key) AS pipe_id"}
"""Columns that a kind's facts take from elsewhere."""


PLACE_ON_PIPE = """
    ST_LineInterpolatePoint(geometry, least(1, greatest(0,
        coalesce(cast(:at_m AS double precision) / nullif(length_m, 0), 0.5))))
"""


def fetch_places(
    session: Session, kind: str, ids: Sequence[str], at_m: float | None = None
) -> list[Place]:
    """
    Look things up by their ids; those that are not there are left out.

    A pipe's place is its middle, or `at_m` along it.
    """
    facts, more = FACTS.get(kind, ""), MORE.get(kind, "")
    point = PLACE_ON_PIPE if kind == "pipe" else POINT.get(kind, "geometry")
    rows = session.execute(
        text(
            f"SELECT id, key, ST_X(point), ST_Y(point), jsonb_build_object({facts}) FROM"  # noqa: S608 - literals
            f" (SELECT *, {point} AS point{more} FROM {kind} WHERE id = ANY(:ids)) thing"
        ),
        {"ids": list(ids), **({"at_m": at_m} if kind == "pipe" else {})},
    )
    return [Place(kind, *row) for row in rows]


def fetch_control_valves(session: Session, ids: Sequence[str]) -> list[Place]:
    """Look up control valves that answers list among the valves, under that name."""
    return [replace(one, kind="valve") for one in fetch_places(session, "control_valve", ids)]
