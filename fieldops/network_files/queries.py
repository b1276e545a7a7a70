"""SQL that lands placed features whole: staged by COPY, compared, then merged."""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import psycopg
import shapely
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from fieldops.errors import ConflictError
from gis.features import FORMAT_NAMES, KINDS, PROPERTIES, FeatureSet, Feed
from gis.memory import without_collector
from gis.placement import cuts_m
from gis.space_order import space_order

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from gis.features import Feature
    from gis.placement import Placement

    Keys = NDArray[np.int64]
    Progress = Callable[[str, float], None]

IMPORT_LOCK = 0x696D706F7274
"""Key of the advisory lock that an import holds: "import"."""
MANY = 20_000
"""So many rows are made into text at once."""

_REFERENCES = frozenset({"start_node", "end_node", "node", "pipe", "feeds"})
_FLAGS = {
    "node": ("is_made",),
    "pipe": ("is_start_guessed", "is_end_guessed", "is_length_measured"),
    "valve": (
        "is_place_given",
        "is_pipe_guessed",
        "is_start_guessed",
        "is_end_guessed",
        "is_position_assumed",
    ),
    "pump": ("is_start_guessed", "is_end_guessed"),
    "control_valve": ("is_start_guessed", "is_end_guessed", "is_position_assumed"),
    "source": ("is_node_guessed",),
    "customer": ("is_guessed",),
    "hydrant": ("is_guessed",),
    "road": (),
    "depot": (),
}
_ENDS = ("start_node_key", "end_node_key")
_PLACES = {
    "pipe": (*_ENDS, "cuts_m"),
    "valve": (*_ENDS, "pipe_key", "at_m"),
    "pump": _ENDS,
    "control_valve": _ENDS,
    "source": ("node_key",),
    "hydrant": ("pipe_key", "at_m", "node_key"),
}
ATTRIBUTES = {
    kind: tuple(name for name in names if name not in _REFERENCES) + _FLAGS[kind]
    for kind, names in PROPERTIES.items()
}
"""Attributes of a feature that stand in a column of the same name (as the format has it)."""


@dataclass(frozen=True, slots=True)
class Changes:
    """How many rows of a kind an import changed."""

    inserted: int
    updated: int
    deleted: int


def isolate(session: Session) -> None:
    """Begin the session's transaction as one that sees a single state and overwrites no other."""
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


@contextmanager
def careful() -> Iterator[None]:
    """Say what it means when somebody else changed the same rows at the same time."""
    try:
        yield
    except (DBAPIError, psycopg.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(
            cause,
            psycopg.errors.SerializationFailure
            | psycopg.errors.UniqueViolation
            | psycopg.errors.DeadlockDetected,
        ):
            raise ConflictError(
                "The network was changed by somebody else during the import; nothing was imported."
                " Try again."
            ) from error
        raise


def describe_database(session: Session) -> dict[str, Any]:
    """Tell which database this is, and how large."""
    row = session.execute(
        text(
            "SELECT current_setting('server_version') AS server, postgis_lib_version() AS postgis,"
            " pg_database_size(current_database()) AS size_bytes, current_database() AS name,"
            " coalesce(host(inet_server_addr()), 'socket') AS host"
        )
    ).one()
    return dict(row._mapping)  # noqa: SLF001 - the documented way


def lock_imports(session: Session) -> bool:
    """Take the right to import until the transaction ends; False if somebody else has it."""
    query = text("SELECT pg_try_advisory_xact_lock(:key)")
    return bool(session.execute(query, {"key": IMPORT_LOCK}).scalar_one())


def read_keys(session: Session, kind: str) -> dict[str, int]:
    """Read the key of every stored feature of a kind, by its id."""
    rows = session.execute(text(f"SELECT id, key FROM {kind}"))  # noqa: S608 - our own name
    return {row[0]: row[1] for row in rows}


def read_made_ids(session: Session) -> set[str]:
    """Read the ids of the nodes that no file gave."""
    return set(session.scalars(text("SELECT id FROM node WHERE is_made")))


# --- out of the database ---


def read_features(
    session: Session,
    keys: Mapping[str, Sequence[int]] | None = None,
    progress: Progress | None = None,
) -> FeatureSet:
    """Read stored features with their places, all of them or those of some keys by kind."""
    features = FeatureSet()
    with without_collector():
        for step, kind in enumerate(KINDS):
            if keys is None or keys.get(kind):
                wanted = None if keys is None else list(keys[kind])
                getattr(features, f"{kind}s").extend(_read_kind(session, kind, wanted))
            if progress is not None:
                progress("reading", (step + 1) / len(KINDS))
    return features


_JOINS = {
    "pipe": (
        "s.id AS start_node, e.id AS end_node",
        "JOIN node s ON s.key = f.start_node_key JOIN node e ON e.key = f.end_node_key",
    ),
    "valve": (
        "s.id AS start_node, e.id AS end_node, p.id AS pipe, f.at_m",
        (
            "LEFT JOIN node s ON s.key = f.start_node_key"
            " LEFT JOIN node e ON e.key = f.end_node_key LEFT JOIN pipe p ON p.key = f.pipe_key"
        ),
    ),
    "source": ("n.id AS node", "JOIN node n ON n.key = f.node_key"),
    "hydrant": (
        "p.id AS pipe, n.id AS node, f.at_m",
        "LEFT JOIN pipe p ON p.key = f.pipe_key LEFT JOIN node n ON n.key = f.node_key",
    ),
    "customer": (
        "feeds",
        (
            "LEFT JOIN (SELECT customer_key, jsonb_agg(jsonb_build_object("
            "'pipe', p.id, 'node', n.id, 'at_m', at_m, 'is_guessed', c.is_guessed) ORDER BY rank)"
            " AS feeds FROM customer_feed c LEFT JOIN pipe p ON p.key = c.pipe_key"
            " LEFT JOIN node n ON n.key = c.node_key"
            " {feeds_where}"
            " GROUP BY customer_key) AS fed ON fed.customer_key = f.key"
        ),
    ),
}
_JOINS["pump"] = _JOINS["control_valve"] = _JOINS["pipe"]


def _read_kind(session: Session, kind: str, keys: list[int] | None) -> Iterator[Any]:
    chosen, joins = _JOINS.get(kind, ("", ""))
    columns = [f'f."{FORMAT_NAMES.get(name, name)}" AS "{name}"' for name in ATTRIBUTES[kind]] + [
        chosen
    ] * bool(chosen)
    where, feeds_where = "", ""
    if keys is not None:
        where, feeds_where = "WHERE f.key = ANY(:keys)", "WHERE customer_key = ANY(:keys)"
    query = (
        f"SELECT f.id, ST_AsBinary(f.geometry) AS geometry, f.extra, {', '.join(columns)}"  # noqa: S608
        f" FROM {kind} f {joins.format(feeds_where=feeds_where)} {where} ORDER BY f.key"
    )
    make: Any = KINDS[kind]
    found = session.execute(
        text(query), {} if keys is None else {"keys": keys}, execution_options={"yield_per": MANY}
    ).mappings()
    for rows in found.partitions(MANY):
        shapes = shapely.from_wkb([bytes(row["geometry"]) for row in rows])
        coordinates, owner = shapely.get_coordinates(shapes, return_index=True)
        starts = np.searchsorted(owner, np.arange(len(rows) + 1)).tolist()
        points = [tuple(pair) for pair in coordinates.tolist()]
        for at, row in enumerate(rows):
            values = dict(row)
            values["geometry"] = points[starts[at] : starts[at + 1]]
            if values.get("is_position_assumed"):
                values["position"] = None
                # What isolates nothing has no position to assume, only none recorded.
                values["is_position_assumed"] = values.get("isolates", True)
            if kind == "customer":
                values["feeds"] = [Feed(**feed) for feed in values["feeds"] or ()]
                first = values["feeds"][0] if values["feeds"] else Feed()
                values["pipe"], values["node"] = first.pipe, first.node
            yield make(**values)


# --- into the database ---


def land(
    session: Session,
    placement: Placement,
    keys: dict[str, dict[str, int]],
    snap_m: float,
    progress: Progress,
) -> dict[str, Changes]:
    """
    Make the stored network that of the placement: what is not in it goes.

    `keys` are those of the stored features by kind and id. Rows that are already as they should
    be are left alone, so that landing the same again is no edit.
    """
    with without_collector():
        return _Landing(session, placement, keys, snap_m, progress).run()


class _Landing:
    """One landing: staged tables first, then one statement a table and change."""

    def __init__(
        self,
        session: Session,
        placement: Placement,
        stored: dict[str, dict[str, int]],
        snap_m: float,
        progress: Progress,
    ) -> None:
        self.session = session
        self.placement = placement
        self.stored = stored
        self.snap_m = snap_m
        self.progress = progress
        raw = session.connection().connection.driver_connection
        self.connection = cast("psycopg.Connection[Any]", raw)
        self.keys: dict[str, Keys] = {}
        self.new: dict[str, int] = {}
        self.first_new: dict[str, int] = {}

    def run(self) -> dict[str, Changes]:
        """Stage, merge from what is referred to towards what refers, delete the other way round."""
        is_bulk = not any(self.stored.values())
        for kind in KINDS:
            self._give_keys(kind)
        kinds = list(KINDS)
        for step, kind in enumerate(kinds):
            self._stage(kind)
            self.progress("staging", (step + 1) / len(kinds))
        self._stage_feeds()
        indexes = self._drop_indexes() if is_bulk else []
        inserted: dict[str, int] = {}
        updated: dict[str, int] = {}
        for step, kind in enumerate(kinds):
            inserted[kind], updated[kind] = self._insert(kind), self._update(kind)
            self.progress("merging", (step + 1) / len(kinds))
        fed = self._merge_feeds()
        updated["customer"] += fed
        deleted = {kind: self._delete(kind) for kind in reversed(kinds)}
        for step, definition in enumerate(indexes):
            self.session.execute(text(definition))
            self.progress("indexing", (step + 1) / len(indexes))
        changes = {kind: Changes(inserted[kind], updated[kind], deleted[kind]) for kind in kinds}
        self._finish(changes)
        return changes

    def _give_keys(self, kind: str) -> None:
        """Keep the keys of features already there; number new ones in space order."""
        features: list[Feature] = getattr(self.placement, f"{kind}s")
        stored = self.stored[kind]
        keys = np.array([stored.get(feature.id, -1) for feature in features], dtype=np.int64)
        new = np.flatnonzero(keys < 0)
        if len(new):
            places = np.array([features[row].geometry[0] for row in new.tolist()])
            order = new[space_order(places[:, 0], places[:, 1])]
            query = text(
                "SELECT setval(name, nextval(name) + :count - 1) - :count + 1"
                " FROM pg_get_serial_sequence(:table, 'key') AS name"
            )
            first = self.session.execute(query, {"count": len(new), "table": kind}).scalar_one()
            keys[order] = np.arange(first, first + len(new))
            self.first_new[kind] = first
        self.keys[kind] = keys
        self.new[kind] = len(new)

    def _stage(self, kind: str) -> None:
        features: list[Feature] = getattr(self.placement, f"{kind}s")
        names = [FORMAT_NAMES.get(name, name) for name in ATTRIBUTES[kind]]
        columns = ["key", "id", "geometry", "extra", *names, *_PLACES.get(kind, ())]
        places = self._places(kind)
        order = np.argsort(self.keys[kind], kind="stable")
        with self._copy_into(kind, columns) as copy:
            for begin in range(0, len(order), MANY):
                rows = order[begin : begin + MANY]
                some = [features[row] for row in rows.tolist()]
                cells = [
                    [str(key) for key in self.keys[kind][rows].tolist()],
                    [_text(feature.id) for feature in some],
                    _shapes(some),
                    [_json(feature.extra) for feature in some],
                    *(_cells([getattr(f, name) for f in some]) for name in ATTRIBUTES[kind]),
                    *(_cells(place(rows)) for place in places),
                ]
                if "position" in ATTRIBUTES[kind]:
                    at = columns.index("position")
                    cells[columns.index("is_position_assumed")] = [
                        "t" if cell == "\\N" else "f" for cell in cells[at]
                    ]
                    cells[at] = ["open" if cell == "\\N" else cell for cell in cells[at]]
                copy.write(
                    "".join(f"{line}\n" for line in map("\t".join, zip(*cells, strict=True)))
                )

    def _places(self, kind: str) -> list[Callable[[NDArray[np.int64]], list[Any]]]:
        """Give the columns that say where a feature is, as functions of rows."""
        placement = self.placement
        links = {
            "pipe": placement.pipe_ends,
            "valve": placement.valve_ends,
            "pump": placement.pump_ends,
            "control_valve": placement.control_valve_ends,
        }
        places = self._ends(links[kind]) if kind in links else []
        if kind == "pipe":
            places.append(self._cuts())
        elif kind == "valve":
            places.append(self._keys_of("pipe", placement.valve_pipe))
            places.append(_metres(self._valve_places()))
        elif kind == "source":
            places.append(self._keys_of("node", placement.source_node))
        elif kind == "hydrant":
            places.append(self._keys_of("pipe", placement.hydrant_pipe))
            places.append(_metres(placement.hydrant_at_m))
            places.append(self._keys_of("node", placement.hydrant_node))
        return places

    def _valve_places(self) -> NDArray[np.float64]:
        """Give places to the micrometre, as `place` measures them; INP files are finer."""
        placement = self.placement
        at_m = np.round(placement.valve_at_m, 6)
        on_pipe = np.flatnonzero(placement.valve_pipe >= 0)
        length_m = placement.pipe_length_m[placement.valve_pipe[on_pipe]]
        at_m[on_pipe] = np.minimum(at_m[on_pipe], length_m)
        return at_m

    def _ends(self, ends: NDArray[np.int32]) -> list[Callable[[NDArray[np.int64]], list[Any]]]:
        return [self._keys_of("node", ends[:, which]) for which in (0, 1)]

    def _keys_of(
        self, kind: str, target: NDArray[np.int32]
    ) -> Callable[[NDArray[np.int64]], list[int | None]]:
        keys = self.keys[kind]

        def give(rows: NDArray[np.int64]) -> list[int | None]:
            found = target[rows]
            return [
                None if row < 0 else key
                for row, key in zip(found.tolist(), _take(keys, found).tolist(), strict=True)
            ]

        return give

    def _cuts(self) -> Callable[[NDArray[np.int64]], list[list[float] | None]]:
        placement = self.placement
        on_pipe = np.flatnonzero(placement.valve_pipe >= 0)
        pipe, at_m = cuts_m(
            placement.pipe_length_m,
            placement.valve_pipe[on_pipe],
            placement.valve_at_m[on_pipe],
            self.snap_m,
        )
        cuts: dict[int, list[float]] = {}
        for row, place in zip(pipe.tolist(), at_m.tolist(), strict=True):
            cuts.setdefault(row, []).append(place)
        return lambda rows: [cuts.get(row) for row in rows.tolist()]

    def _stage_feeds(self) -> None:
        placement = self.placement
        owner = self.keys["customer"][placement.feed_customer]
        order = np.argsort(owner, kind="stable")
        owner = owner[order]
        first = np.searchsorted(owner, owner)
        rank = np.arange(len(owner)) - first
        pipe = self._keys_of("pipe", placement.feed_pipe)
        node = self._keys_of("node", placement.feed_node)
        at_m = _metres(placement.feed_at_m)
        columns = ["customer_key", "rank", "pipe_key", "at_m", "node_key", "is_guessed"]
        with self._copy_into("customer_feed", columns) as copy:
            for begin in range(0, len(order), MANY):
                some = slice(begin, begin + MANY)
                rows = order[some]
                cells = [
                    _cells(owner[some].tolist()),
                    _cells(rank[some].tolist()),
                    _cells(pipe(rows)),
                    _cells(at_m(rows)),
                    _cells(node(rows)),
                    _cells(placement.feed_is_guessed[rows].tolist()),
                ]
                copy.write(
                    "".join(f"{line}\n" for line in map("\t".join, zip(*cells, strict=True)))
                )

    def _copy_into(self, table: str, columns: Iterable[str]) -> _Copy:
        names = ", ".join(f'"{name}"' for name in columns)
        with self.connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS pg_temp.staged_{table}".encode())
            cursor.execute(
                f"CREATE TEMPORARY TABLE staged_{table} ON COMMIT DROP AS"  # noqa: S608
                f" SELECT {names} FROM {table} WITH NO DATA".encode()
            )
        return _Copy(self.connection, f"COPY staged_{table} ({names}) FROM STDIN", table)

    def _columns(self, kind: str) -> list[str]:
        names = ["id", "geometry", "extra", *ATTRIBUTES[kind]]
        names = [FORMAT_NAMES.get(name, name) for name in names] + list(_PLACES.get(kind, ()))
        return [f'"{name}"' for name in names]

    def _insert(self, kind: str) -> int:
        if not self.new[kind]:
            return 0
        names = ", ".join(self._columns(kind))
        is_new = (
            "WHERE NOT EXISTS (SELECT FROM {0} t WHERE t.key = s.key)" if self.stored[kind] else ""
        )
        self._run(
            f"INSERT INTO {kind} (key, {names}, changed_in)"  # noqa: S608
            f" SELECT key, {names}, (SELECT note_network_edit(false, false)) FROM staged_{kind} s"
            f" {is_new.format(kind)} ORDER BY key"
        )
        return self.new[kind]

    def _update(self, kind: str) -> int:
        if self.new[kind] == len(self.keys[kind]):
            return 0
        names = self._columns(kind)
        values = ", ".join(f"{name} = s.{name}" for name in names)
        # How a place is known makes no other network, and no file but an INP tells it.
        compared = [name for name in names if name != '"is_place_given"']
        was = ", ".join(_comparable("t", name) for name in compared)
        becomes = ", ".join(_comparable("s", name) for name in compared)
        return self._run(
            f"UPDATE {kind} t SET {values}, changed_in = (SELECT note_network_edit(false, false))"  # noqa: S608
            f" FROM staged_{kind} s WHERE t.key = s.key"
            f" AND ({was}) IS DISTINCT FROM ({becomes})"
        )

    def _merge_feeds(self) -> int:
        """Replace the feeds of the customers whose feeds differ, and count these customers."""
        columns = "customer_key, rank, pipe_key, at_m, node_key, is_guessed"
        if not self.stored["customer"]:
            if len(self.placement.feed_customer):
                self._run(
                    f"INSERT INTO customer_feed ({columns})"  # noqa: S608
                    f" SELECT {columns} FROM staged_customer_feed"
                )
            return 0
        self._run("DROP TABLE IF EXISTS pg_temp.changed_feeds")
        customers = self._run(
            "CREATE TEMPORARY TABLE changed_feeds ON COMMIT DROP AS"  # noqa: S608
            " SELECT DISTINCT customer_key FROM ("
            f"(SELECT {columns} FROM customer_feed"
            f" EXCEPT SELECT {columns} FROM staged_customer_feed)"
            f" UNION ALL (SELECT {columns} FROM staged_customer_feed"
            f" EXCEPT SELECT {columns} FROM customer_feed)) AS differing"
        )
        if not customers:
            return 0
        # Neither the new ones, nor those about to go, nor those whose own row changed as well.
        only_fed = text(
            "SELECT count(*) FROM changed_feeds f JOIN staged_customer s ON s.key = f.customer_key"
            " JOIN customer c ON c.key = s.key WHERE c.key < :first AND c.changed_in"
            " IS DISTINCT FROM nullif(current_setting('fieldops.edit', true), '')::bigint"
        )
        first = self.first_new.get("customer", 2**62)
        count = int(self.session.execute(only_fed, {"first": first}).scalar_one())
        self._run(
            "DELETE FROM customer_feed"
            " WHERE customer_key IN (SELECT customer_key FROM changed_feeds)"
        )
        self._run(
            f"INSERT INTO customer_feed ({columns}) SELECT {columns} FROM staged_customer_feed"  # noqa: S608
            " WHERE customer_key IN (SELECT customer_key FROM changed_feeds)"
        )
        return count

    def _delete(self, kind: str) -> int:
        kept = len(self.keys[kind]) - self.new[kind]
        if len(self.stored[kind]) == kept:
            return 0
        return self._run(
            f"DELETE FROM {kind} t"  # noqa: S608
            f" WHERE NOT EXISTS (SELECT FROM staged_{kind} s WHERE s.key = t.key)"
        )

    def _drop_indexes(self) -> list[str]:
        """Drop indexes that are quicker made again for tables so far empty."""
        found = self.session.execute(
            text(
                "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()"
                " AND tablename = ANY(:tables) AND indexname LIKE 'ix!_%' ESCAPE '!'"
            ),
            {"tables": [*KINDS, "customer_feed"]},
        ).all()
        for name, _ in found:
            self._run(f"DROP INDEX {name}")
        return [definition for _, definition in found]

    def _finish(self, changes: dict[str, Changes]) -> None:
        touched = sum(
            change.inserted + change.updated + change.deleted for change in changes.values()
        )
        if touched:
            self.session.execute(
                text(
                    "UPDATE network_edit SET snap_m = :snap_m"
                    " WHERE key = current_setting('fieldops.edit')::bigint"
                ),
                {"snap_m": self.snap_m},
            )
        for kind in (*KINDS, "customer_feed"):
            if touched >= MANY:
                self._run(f"ANALYZE {kind}")
            self._run(f"DROP TABLE IF EXISTS pg_temp.staged_{kind}")

    def _run(self, statement: str) -> int:
        with self.connection.cursor() as cursor:
            cursor.execute(statement.encode())
            return cursor.rowcount


class _Copy:
    """A COPY into a table, sent while the next rows are written, and analysed when it is full."""

    def __init__(self, connection: psycopg.Connection[Any], statement: str, table: str) -> None:
        self.cursor = connection.cursor()
        self.copy = self.cursor.copy(statement.encode())
        self.table = table
        self.sender = ThreadPoolExecutor(1)
        self.sent: Future[None] | None = None

    def write(self, rows: str) -> None:
        """Send rows, as soon as those before them are sent."""
        if self.sent is not None:
            self.sent.result()
        self.sent = self.sender.submit(self.open.write, rows)

    def __enter__(self) -> Self:
        self.open = self.copy.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:  # noqa: ANN401, PYI036 - handed on
        self.sender.shutdown()
        if error[0] is None and self.sent is not None:
            self.sent.result()
        self.copy.__exit__(*error)
        if error[0] is None:
            self.cursor.execute(f"ANALYZE pg_temp.staged_{self.table}".encode())


def _comparable(alias: str, name: str) -> str:
    """Compare shapes byte by byte, so that a point moved by a hair counts as moved."""
    return f"{alias}.{name}::bytea" if name == '"geometry"' else f"{alias}.{name}"


def _take(keys: Keys, rows: NDArray[np.int32]) -> Keys:
    return keys[np.maximum(rows, 0)] if len(keys) else np.full(len(rows), -1)


def _metres(at_m: NDArray[np.float64]) -> Callable[[NDArray[np.int64]], list[float | None]]:
    return lambda rows: [None if metre != metre else metre for metre in at_m[rows].tolist()]  # noqa: PLR0124 - nan


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _text(value: str) -> str:
    return value.translate(_ESCAPES)


def _json(value: dict[str, Any]) -> str:
    return _text(json.dumps(value, ensure_ascii=False)) if value else "{}"


def _cell(value: object) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, list):
        return "{" + ",".join(map(repr, value)) + "}"
    return repr(value)


def _cells(values: list[Any]) -> list[str]:
    """Write a column; most hold few different values, each of which is written once."""
    try:
        written = {value: _cell(value) for value in set(values)}
    except TypeError:  # lists cannot be looked up
        return [_cell(value) for value in values]
    return [written[value] for value in values]


def _shapes(features: Sequence[Feature]) -> list[str]:
    """Give the shapes as PostGIS reads them: hexadecimal, with the number of WGS84."""
    sizes = np.array([len(feature.geometry) for feature in features], dtype=np.int64)
    coordinates = np.array([pair for feature in features for pair in feature.geometry])
    shapes = np.empty(len(features), dtype=object)
    is_line = sizes > 1
    owner = np.repeat(np.arange(len(features)), sizes)
    on_line = is_line[owner]
    if is_line.any():
        _, index = np.unique(owner[on_line], return_inverse=True)
        shapes[is_line] = shapely.linestrings(coordinates[on_line], indices=index)
    if not is_line.all():
        shapes[~is_line] = shapely.points(coordinates[~on_line])
    hexes = shapely.to_wkb(shapely.set_srid(shapes, 4326), hex=True, include_srid=True)
    return cast("list[str]", list(hexes))


# --- files that people sent ---


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file that somebody sent to be imported, and what became of it."""

    key: int
    file_name: str
    path: str
    options: dict[str, Any]
    status: str
    step: str | None
    done_share: float | None
    report: dict[str, Any] | None
    sent_at: dt.datetime
    sent_by: str
    ended_at: dt.datetime | None

    @property
    def is_underway(self) -> bool:
        """Whether the page has to be looked at again."""
        return self.status in {"waiting", "checking", "landing"}


_SENT_COLUMNS = ", ".join(field.name for field in fields(SentFile))


def insert_sent_file(
    session: Session,
    *,
    file_name: str,
    path: str,
    options: dict[str, Any],
    sent_at: dt.datetime,
    sent_by: str,
) -> int:
    """Note a file that somebody sent, and give its key."""
    return int(
        session.execute(
            text(
                "INSERT INTO network_import (file_name, path, options, sent_at, sent_by)"
                " VALUES (:file_name, :path, CAST(:options AS jsonb), :sent_at, :sent_by)"
                " RETURNING key"
            ),
            {
                "file_name": file_name,
                "path": path,
                "options": json.dumps(options),
                "sent_at": sent_at,
                "sent_by": sent_by,
            },
        ).scalar_one()
    )


def read_sent_file(session: Session, key: int, *, is_for_update: bool = False) -> SentFile | None:
    """Read what became of a file, and hold the row if it is about to change."""
    lock = " FOR UPDATE" if is_for_update else ""
    row = session.execute(
        text(f"SELECT {_SENT_COLUMNS} FROM network_import WHERE key = :key{lock}"),  # noqa: S608
        {"key": key},
    ).one_or_none()
    return None if row is None else SentFile(*row)


def read_sent_files(session: Session) -> list[SentFile]:
    """Read the last files, the latest first, without their reports."""
    columns = _SENT_COLUMNS.replace("report", "NULL AS report")
    rows = session.execute(
        text(f"SELECT {columns} FROM network_import ORDER BY key DESC LIMIT 20")  # noqa: S608
    )
    return [SentFile(*row) for row in rows]


def update_sent_file(session: Session, key: int, status: str) -> None:
    """Note at which stage a file is."""
    session.execute(
        text("UPDATE network_import SET status = :status, step = NULL WHERE key = :key"),
        {"key": key, "status": status},
    )


def update_progress(session: Session, key: int, step: str, share: float) -> None:
    """Note how far the work on a file is."""
    session.execute(
        text("UPDATE network_import SET step = :step, done_share = :share WHERE key = :key"),
        {"key": key, "step": step, "share": share},
    )


def end_sent_file(
    session: Session, key: int, status: str, report: dict[str, Any], now: dt.datetime
) -> None:
    """Note how the work on a file ended."""
    session.execute(
        text(
            "UPDATE network_import SET status = :status, report = CAST(:report AS jsonb),"
            " step = NULL, done_share = NULL, ended_at = :now WHERE key = :key"
        ),
        {
            "key": key,
            "status": status,
            "report": json.dumps(report, ensure_ascii=False).replace("\\u0000", ""),
            "now": now,
        },
    )


def read_preview(session: Session, limit: int) -> str:
    """Read the shapes of pipes as GeoJSON, at most so many, the largest first."""
    return str(
        session.execute(
            text(
                "SELECT CAST(json_build_object('type', 'FeatureCollection', 'features',"
                " coalesce(json_agg(ST_AsGeoJSON(largest.*)::json), '[]')) AS text)"
                " FROM (SELECT id, diameter_mm, geometry FROM pipe"
                " ORDER BY diameter_mm DESC, key LIMIT :limit) AS largest"
            ),
            {"limit": limit},
        ).scalar_one_or_none()
        or ""
    )
