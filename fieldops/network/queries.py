"""SQL that reads the network into arrays, and tells what has changed since."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.orm import Session

from fieldops.db import CONNECTION_OPTIONS
from fieldops.network.models import UNUSUAL
from gis.features import KINDS
from gis.network import NONE, DeviceFacts, DeviceKind, Network, Operability, Position

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    import psycopg
    from numpy.typing import NDArray

    Keys = NDArray[np.int64]
    Rows = NDArray[np.int32]

POSITIONS = ("open", "closed", "unknown")
OPERABILITIES = ("operable", "inoperable", "unknown")
DEVICE_TABLES = ("valve", "pump", "control_valve")

_HEADER_BYTES = 19
_COUNT_BYTES = 2
_ARRAY_HEAD_BYTES = 20
_TYPES = {"int8": ">i8", "int4": ">i4", "int2": ">i2", "float8": ">f8", "bool": "?"}


@dataclass(frozen=True, slots=True, eq=False)
class NetworkKeys:
    """
    The key of every row of a network: sorted, so that a row is found by bisection.

    `devices` holds the keys of valves, then of pumps, then of control valves; each of the three
    is sorted, and `device_starts` says where each begins.
    """

    nodes: Keys
    pipes: Keys
    devices: Keys
    device_starts: tuple[int, int, int, int]
    sources: Keys
    customers: Keys
    hydrants: Keys

    def device_table(self, row: int) -> str:
        """Name the table of a device."""
        return DEVICE_TABLES[sum(row >= start for start in self.device_starts[1:3])]

    def device_row(self, table: str, key: int) -> int:
        """Give the row of a device, -1 for one that takes part in nothing."""
        at = DEVICE_TABLES.index(table)
        first, last = self.device_starts[at : at + 2]
        row = row_of(self.devices[first:last], key)
        return row if row < 0 else row + first


@dataclass(frozen=True, slots=True)
class NetworkState:
    """Where the network stands: its number, and the step of this transaction's own edits."""

    revision: int
    geometry_revision: int
    own_step: str


@dataclass(frozen=True, slots=True)
class FactChange:
    """The facts of a valve as an edit left them."""

    revision: int
    kind: str
    key: int
    position: str
    operability: str
    reachable: bool


@dataclass(frozen=True, slots=True)
class ValveFacts:
    """What is known of a valve from day to day."""

    position: str
    operability: str
    reachable: bool
    is_position_known: bool = False
    """Somebody has just told the position: it is assumed no longer."""


def row_of(keys: Keys, key: int) -> int:
    """Give the row of a key, -1 if it is not there."""
    row = int(np.searchsorted(keys, key))
    return row if row < keys.size and keys[row] == key else NONE


def read_state(session: Session) -> NetworkState:
    """Read the numbers that every edit raises, and whether this transaction has edits."""
    row = session.execute(
        text(
            "SELECT coalesce((SELECT max(revision) FROM network_edit), 0),"
            " coalesce((SELECT max(geometry_revision) FROM network_edit), 0),"
            " CASE WHEN coalesce(current_setting('fieldops.edit', true), '') = '' THEN ''"
            " ELSE current_setting('fieldops.edit_step', true) END"
        )
    ).one()
    return NetworkState(row[0], row[1], row[2])


def count_features(session: Session) -> dict[str, int]:
    """Count the features of each kind."""
    query = " UNION ALL ".join(f"SELECT '{kind}', count(*) FROM {kind}" for kind in KINDS)  # noqa: S608
    return {row[0]: row[1] for row in session.execute(text(query))}


def count_assumed(session: Session) -> int:
    """Count the valves whose position no record gives."""
    query = (
        "SELECT (SELECT count(*) FROM valve WHERE is_position_assumed)"
        " + (SELECT count(*) FROM control_valve WHERE isolates AND is_position_assumed)"
    )
    return int(session.execute(text(query)).scalar_one())


def read_bounds(session: Session) -> list[float] | None:
    """Read the least and greatest longitude and latitude of nodes and pipes; None if none."""
    row = session.execute(
        text(
            "SELECT ST_XMin(b), ST_YMin(b), ST_XMax(b), ST_YMax(b) FROM (SELECT ST_Extent(g) AS b"
            " FROM (SELECT geometry AS g FROM node UNION ALL SELECT geometry FROM pipe) AS all_)"
            " AS box"
        )
    ).one()
    return None if row[0] is None else list(row)


@contextmanager
def open_snapshot(session: Session) -> Iterator[Session]:
    """Open a transaction of its own that has no edits and sees one state of everything."""
    # Not from the pool: all of its connections may be held by requests that wait for this one.
    # The engine is kept, for a new one asks the server who it is before anything else.
    kept = session.info["kept"]
    engine = kept.get("network_snapshots")
    if engine is None:
        engine = kept["network_snapshots"] = create_engine(
            session.get_bind().engine.url,
            poolclass=NullPool,
            isolation_level="REPEATABLE READ",
            connect_args={"options": CONNECTION_OPTIONS},
        )
    with engine.connect() as connection, Session(connection) as clean:
        yield clean


def read_snap_m(session: Session) -> float | None:
    """Read the snap distance of the last import; None before any."""
    return session.execute(
        text("SELECT snap_m FROM network_edit WHERE snap_m IS NOT NULL ORDER BY key DESC LIMIT 1")
    ).scalar()


def is_reload_needed(session: Session, since: int) -> bool:
    """Tell whether edits after a revision changed more than facts of valves."""
    return bool(
        session.execute(
            text("SELECT EXISTS (SELECT FROM network_edit WHERE revision > :since AND is_reload)"),
            {"since": since},
        ).scalar_one()
    )


def read_changes(session: Session, since: int) -> list[FactChange]:
    """Read the facts of valves that changed after a revision, in the order of the changes."""
    rows = session.execute(
        text(
            "SELECT e.revision, c.kind, c.device_key, c.position, c.operability, c.reachable"
            " FROM network_edit e JOIN network_change c ON c.edit_key = e.key"
            " WHERE e.revision > :since ORDER BY e.revision, c.key"
        ),
        {"since": since},
    )
    return [FactChange(*row) for row in rows]


def read_unusual(session: Session) -> list[FactChange]:
    """Read the facts of every valve that is not simply open, and of those that changed."""
    columns = "key, position, operability, reachable"
    rows = session.execute(
        text(
            f"SELECT 0, 'valve', {columns} FROM valve WHERE {UNUSUAL} UNION ALL"  # noqa: S608
            f" SELECT 0, 'control_valve', {columns} FROM control_valve"
            f" WHERE isolates AND ({UNUSUAL})"
        )
    )
    return [FactChange(*row) for row in rows]


_PLACE_COLUMNS = {
    "pipe": "'start_node', s.id, 'end_node', e.id",
    "valve": "'pipe', p.id, 'start_node', s.id, 'end_node', e.id",
    "control_valve": "'start_node', s.id, 'end_node', e.id",
}
_PLACE_JOINS = {
    "pipe": "JOIN node s ON s.key = f.start_node_key JOIN node e ON e.key = f.end_node_key",
    "valve": (
        "LEFT JOIN pipe p ON p.key = f.pipe_key LEFT JOIN node s ON s.key = f.start_node_key"
        " LEFT JOIN node e ON e.key = f.end_node_key"
    ),
}
_PLACE_JOINS["control_valve"] = _PLACE_JOINS["pipe"]
_NOT_SHOWN = "'{geometry,changed_in,start_node_key,end_node_key,pipe_key}'::text[]"


def read_record(session: Session, kind: str, feature_id: str) -> dict[str, Any] | None:
    """Read all that is recorded of a pipe or a valve, and who recorded it when."""
    return cast(
        "dict[str, Any] | None",
        session.execute(
            text(
                f"SELECT to_jsonb(f) - {_NOT_SHOWN} || jsonb_build_object({_PLACE_COLUMNS[kind]},"  # noqa: S608
                " 'recorded', jsonb_build_object("
                "'revision', r.revision, 'at', r.at, 'by', r.by))"
                f" FROM {kind} f {_PLACE_JOINS[kind]}"
                " LEFT JOIN network_edit r ON r.key = f.changed_in WHERE f.id = :id"
            ),
            {"id": feature_id},
        ).scalar_one_or_none(),
    )


def read_history(session: Session, kind: str, feature_id: str) -> list[dict[str, Any]]:
    """Read how a feature was before each of its last edits, the latest first."""
    rows = session.execute(
        text(
            "SELECT e.revision, e.at, e.by, h.operation,"  # noqa: S608 - our own names
            f" h.old - {_NOT_SHOWN} AS was FROM network_history h"
            " LEFT JOIN network_edit e ON e.key = h.edit_key"
            " WHERE h.kind = :kind AND h.feature_id = :id ORDER BY h.key DESC LIMIT 50"
        ),
        {"kind": kind, "id": feature_id},
    )
    return [
        {
            "revision": row[0],
            "at": row[1].isoformat(),
            "by": row[2],
            "operation": row[3],
            "was": row[4],
        }
        for row in rows
    ]


def lock_valve(session: Session, feature_id: str) -> tuple[str, int, ValveFacts] | None:
    """Find an isolation valve by its id and hold its row: table, key and facts."""
    for table, where in (("valve", "true"), ("control_valve", "isolates")):
        row = session.execute(
            text(
                "SELECT key, position, operability, reachable"  # noqa: S608 - our own names
                f" FROM {table} WHERE id = :id AND {where} FOR UPDATE"
            ),
            {"id": feature_id},
        ).one_or_none()
        if row is not None:
            return table, row[0], ValveFacts(*row[1:])
    return None


def read_facts_at(
    session: Session, table: str, feature_id: str, revision: int
) -> tuple[ValveFacts, str | None] | None:
    """Read the facts that a valve had at a revision and who changed them next; None: no change."""
    row = session.execute(
        text(
            "SELECT h.old ->> 'position', h.old ->> 'operability', (h.old -> 'reachable')::boolean,"
            " e.by FROM network_history h JOIN network_edit e ON e.key = h.edit_key"
            " WHERE h.kind = :kind AND h.feature_id = :id AND e.revision > :revision"
            " ORDER BY e.revision, h.key LIMIT 1"
        ),
        {"kind": table, "id": feature_id, "revision": revision},
    ).one_or_none()
    return None if row is None else (ValveFacts(*row[:3]), row[3])


def update_facts(session: Session, table: str, key: int, facts: ValveFacts) -> None:
    """Record the facts of a valve."""
    session.execute(
        text(
            f"UPDATE {table} SET position = :position, operability = :operability,"  # noqa: S608
            " reachable = :reachable,"
            " is_position_assumed = is_position_assumed AND NOT :is_known,"
            " changed_in = note_network_edit(false, false) WHERE key = :key"
        ),
        {
            "position": facts.position,
            "operability": facts.operability,
            "reachable": facts.reachable,
            "is_known": facts.is_position_known,
            "key": key,
        },
    )


def set_person(session: Session, name: str, at: dt.datetime | None = None) -> None:
    """Tell the triggers who edits in this transaction, and when."""
    session.execute(
        text(
            "SELECT set_config('fieldops.person', :name, true),"
            " set_config('fieldops.at', :at, true)"
        ),
        {"name": name, "at": "" if at is None else at.isoformat()},
    )


@dataclass(frozen=True, slots=True)
class DrawnPipe:
    """A pipe as it is drawn."""

    key: int
    id: str
    length_m: float
    line: list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class DrawnValve:
    """A valve as it is drawn; `changed_in` tells one edit of it from the next."""

    key: int
    id: str
    is_point: bool
    lon: float
    lat: float
    pipe_key: int | None
    pipe: str | None
    changed_in: int | None
    is_absent: bool


def read_pipes_in(session: Session, box: tuple[float, float, float, float]) -> list[DrawnPipe]:
    """Read the pipes in a box of degrees (west, south, east, north), in the order of their ids."""
    rows = session.execute(
        text(
            "SELECT key, id, length_m, ST_AsGeoJSON(geometry, 15)::jsonb -> 'coordinates'"
            " FROM pipe WHERE geometry && ST_MakeEnvelope(:west, :south, :east, :north, 4326)"
            " ORDER BY id"
        ),
        dict(zip(("west", "south", "east", "north"), box, strict=True)),
    )
    return [
        DrawnPipe(key, text_id, length_m, [(at[0], at[1]) for at in line])
        for key, text_id, length_m, line in rows
    ]


_DRAWN_VALVE = (
    "SELECT v.key, v.id, GeometryType(v.geometry) = 'POINT', ST_X(ST_Centroid(v.geometry)),"
    " ST_Y(ST_Centroid(v.geometry)), v.pipe_key, p.id, v.changed_in,"
    " coalesce((v.extra -> 'absent')::boolean, false)"
    " FROM valve v LEFT JOIN pipe p ON p.key = v.pipe_key"
)


def read_drawn_valve(
    session: Session, valve: str, *, is_locking: bool = False
) -> DrawnValve | None:
    """Read where a valve is drawn, and hold its row if it is going to be changed."""
    lock = " FOR UPDATE OF v" if is_locking else ""
    row = session.execute(text(f"{_DRAWN_VALVE} WHERE v.id = :id{lock}"), {"id": valve})
    found = row.one_or_none()
    return None if found is None else DrawnValve(*found)


def read_valves_in(session: Session, box: tuple[float, float, float, float]) -> list[DrawnValve]:
    """Read the valves drawn in a box of degrees, in the order of their ids."""
    rows = session.execute(
        text(
            f"{_DRAWN_VALVE} WHERE v.geometry"
            " && ST_MakeEnvelope(:west, :south, :east, :north, 4326) ORDER BY v.id"
        ),
        dict(zip(("west", "south", "east", "north"), box, strict=True)),
    )
    return [DrawnValve(*row) for row in rows]


def lock_pipes(session: Session, keys: list[int]) -> None:
    """Hold pipes, always in one order, so that two edits of valves on them come one by one."""
    session.execute(
        text("SELECT FROM pipe WHERE key = ANY(:keys) ORDER BY key FOR UPDATE"), {"keys": keys}
    )


def update_place(
    session: Session, key: int, pipe_key: int, at_m: float, place: tuple[float, float]
) -> None:
    """Put a valve elsewhere on a pipe; one that was said not to be there is there again."""
    session.execute(
        text(
            "UPDATE valve SET geometry = ST_SetSRID(ST_MakePoint(:lon, :lat), 4326),"
            " pipe_key = :pipe, at_m = :at_m, start_node_key = NULL, end_node_key = NULL,"
            " is_place_given = false, is_pipe_guessed = false,"
            " operability = CASE WHEN extra ? 'absent' THEN 'unknown' ELSE operability END,"
            " reachable = reachable OR extra ? 'absent', extra = extra - 'absent',"
            " changed_in = note_network_edit(true, true) WHERE key = :key"
        ),
        {"key": key, "pipe": pipe_key, "at_m": at_m, "lon": place[0], "lat": place[1]},
    )


def update_absent(session: Session, key: int) -> None:
    """Record that no valve is where one is drawn: nothing shuts there, and nothing is shut."""
    session.execute(
        text(
            "UPDATE valve SET position = 'open', is_position_assumed = false,"
            " operability = 'inoperable', reachable = false,"
            " extra = extra || '{\"absent\": true}', changed_in = note_network_edit(false, true)"
            " WHERE key = :key"
        ),
        {"key": key},
    )


def insert_valve(
    session: Session, valve: str, pipe_key: int, at_m: float, place: tuple[float, float]
) -> None:
    """Add a valve of which nothing is known but its place."""
    session.execute(
        text(
            "INSERT INTO valve (id, geometry, pipe_key, at_m, is_position_assumed, changed_in)"
            " VALUES (:id, ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), :pipe, :at_m, true,"
            " note_network_edit(true, true))"
        ),
        {"id": valve, "pipe": pipe_key, "at_m": at_m, "lon": place[0], "lat": place[1]},
    )


def read_places_on(session: Session, pipe_key: int) -> tuple[float, list[float]]:
    """Read the length of a pipe and where its valves stand."""
    row = session.execute(
        text(
            "SELECT length_m, coalesce((SELECT array_agg(at_m) FROM valve WHERE pipe_key = p.key),"
            " '{}') FROM pipe p WHERE key = :key"
        ),
        {"key": pipe_key},
    ).one()
    return row[0], list(row[1])


def update_cuts(session: Session, pipe_key: int, cuts_m: list[float] | None) -> None:
    """Record where valves divide a pipe, if that has changed."""
    session.execute(
        text(
            "UPDATE pipe SET cuts_m = CAST(:cuts AS double precision[]),"
            " changed_in = note_network_edit(true, true)"
            " WHERE key = :key AND cuts_m IS DISTINCT FROM CAST(:cuts AS double precision[])"
        ),
        {"key": pipe_key, "cuts": cuts_m},
    )


def update_facts_of(
    session: Session, table: str, feature_id: str, facts: dict[str, Any]
) -> int | None:
    """Record facts of a valve or pipe; the names of columns are the caller's own, and checked."""
    chosen = ", ".join(f"{name} = :{name}" for name in facts)
    return session.execute(
        text(
            f"UPDATE {table} SET {chosen}, changed_in = note_network_edit(false, false)"  # noqa: S608
            " WHERE id = :_id RETURNING key"
        ),
        {"_id": feature_id, **facts},
    ).scalar_one_or_none()


def read_own_edit(session: Session) -> int | None:
    """Read the key of this transaction's own edit; its number is given at commit."""
    found = session.execute(
        text("SELECT nullif(current_setting('fieldops.edit', true), '')::bigint")
    )
    return found.scalar_one_or_none()


def load_network(session: Session) -> tuple[Network, NetworkKeys]:
    """Read the whole network; a transaction that sees one snapshot must surround this."""
    raw = session.connection().connection.driver_connection
    return _Loading(cast("psycopg.Connection[Any]", raw)).run()


_CODE = "(CASE {0} WHEN '{1}' THEN 0 WHEN '{2}' THEN 1 ELSE 2 END)::int2"
_POSITION = _CODE.format("position", *POSITIONS)
_OPERABILITY = _CODE.format("operability", *OPERABILITIES)
_OR_NONE = "coalesce({0}, -1)"
_OR_NAN = "coalesce({0}, 'NaN')"


class _Loading:
    """One reading of the network: each table once, as bytes that NumPy understands."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def run(self) -> tuple[Network, NetworkKeys]:
        """Read everything."""
        self.nodes = self._read("node", {"key": ("key", "int8")})["key"]
        self.node_rows = RowFinder(self.nodes)
        pipes = self._read_pipes()
        self.pipe_rows = RowFinder(pipes["key"])
        devices, starts = self._read_devices()
        sources = self._read(
            "source",
            {
                "key": ("key", "int8"),
                "node": ("node_key", "int8"),
                "is_tank": ("coalesce(type = 'tank', false)", "bool"),
                "has_inflow": ("inflow", "bool"),
                "volume_m3": (_OR_NAN.format("volume_m3"), "float8"),
            },
        )
        customers = self._read_customers()
        hydrants = self._read_places("hydrant", {"key": ("key", "int8")})
        network = Network(
            node_count=len(self.nodes),
            pipe_ends=self._ends(pipes),
            pipe_length_m=pipes["length_m"],
            pipe_is_open=pipes["is_open"],
            pipe_is_one_way=pipes["is_one_way"],
            pipe_zone=pipes["zone"],
            **devices.arrays(self),
            source_node=self.node_rows.find(sources["node"]),
            source_is_tank=sources["is_tank"],
            source_has_inflow=sources["has_inflow"],
            source_volume_m3=sources["volume_m3"],
            **self._feeds(customers["key"]),
            premises_properties=customers["properties"],
            premises_people=customers["people"],
            premises_is_critical=customers["is_critical"],
            premises_is_guessed=customers["is_guessed"],
            premises_demand_l_day=customers["demand_l"] * customers["properties"],
            premises_tank_m3=customers["tank_m3"],
            hydrant_pipe=self.pipe_rows.find(hydrants["pipe"]),
            hydrant_at_m=hydrants["at_m"],
            hydrant_node=self.node_rows.find(hydrants["node"]),
        )
        keys = NetworkKeys(
            nodes=self.nodes,
            pipes=pipes["key"],
            devices=devices.columns["key"],
            device_starts=starts,
            sources=sources["key"],
            customers=customers["key"],
            hydrants=hydrants["key"],
        )
        return network, keys

    def _read_pipes(self) -> dict[str, Any]:
        zones = (
            'pipe LEFT JOIN (SELECT zone, (row_number() OVER (ORDER BY zone COLLATE "C") - 1)'
            " AS number FROM (SELECT DISTINCT zone FROM pipe WHERE zone IS NOT NULL) AS found)"
            " AS zones USING (zone)"
        )
        return self._read(
            zones,
            {
                "key": ("key", "int8"),
                "start": ("start_node_key", "int8"),
                "end": ("end_node_key", "int8"),
                "length_m": ("length_m", "float8"),
                "is_open": ("status = 'open'", "bool"),
                "is_one_way": ("one_way", "bool"),
                "zone": ("coalesce(number, -1)::int4", "int4"),
            },
        )

    def _read_devices(self) -> tuple[_Devices, tuple[int, int, int, int]]:
        ends = {"start": ("start_node_key", "int8"), "end": ("end_node_key", "int8")}
        facts = {
            "position": (_POSITION, "int2"),
            "operability": (_OPERABILITY, "int2"),
            "reachable": ("reachable", "bool"),
            "boundary": ("boundary", "bool"),
        }
        no_place = {"pipe": ("-1::int8", "int8"), "at_m": ("'NaN'::float8", "float8")}
        key = {"key": ("key", "int8")}
        tables = [
            self._read(
                "valve",
                key
                | {name: (_OR_NONE.format(column), t) for name, (column, t) in ends.items()}
                | {
                    "pipe": (_OR_NONE.format("pipe_key"), "int8"),
                    "at_m": (_OR_NAN.format("at_m"), "float8"),
                    "is_open": ("true", "bool"),
                    "device_kind": ("0::int2", "int2"),
                }
                | facts,
                where="pipe_key IS NOT NULL OR start_node_key IS NOT NULL",
            ),
            self._read(
                "pump",
                key
                | ends
                | no_place
                | {
                    "is_open": ("status = 'open'", "bool"),
                    "device_kind": ("1::int2", "int2"),
                    "position": ("0::int2", "int2"),
                    "operability": ("2::int2", "int2"),
                    "reachable": ("true", "bool"),
                    "boundary": ("false", "bool"),
                },
            ),
            self._read(
                "control_valve",
                key
                | ends
                | no_place
                | {
                    "is_open": ("status = 'open'", "bool"),
                    "device_kind": ("(CASE WHEN isolates THEN 3 ELSE 2 END)::int2", "int2"),
                }
                | facts,
            ),
        ]
        starts = np.concatenate([[0], np.cumsum([len(table["key"]) for table in tables])])
        columns = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
        rank = self._read_ranks(columns["key"], starts)
        return _Devices(columns, rank), cast("tuple[int, int, int, int]", tuple(starts.tolist()))

    def _read_ranks(self, keys: Keys, starts: NDArray[np.int64]) -> Rows:
        """Read the devices in the text order of their ids: the order of valves at one place."""
        union = " UNION ALL ".join(
            f"SELECT {at}::int2 AS at, key, id FROM {table}"  # noqa: S608 - our own names
            + (" WHERE pipe_key IS NOT NULL OR start_node_key IS NOT NULL" if at == 0 else "")
            for at, table in enumerate(DEVICE_TABLES)
        )
        ordered = self._copy(
            f"SELECT at, key FROM ({union}) AS devices ORDER BY id, at",  # noqa: S608
            {"at": "int2", "key": "int8"},
        )
        rank = np.empty(len(keys), dtype=np.int32)
        order = np.arange(len(keys), dtype=np.int32)
        for at in range(len(DEVICE_TABLES)):
            mine = ordered["at"] == at
            first, last = int(starts[at]), int(starts[at + 1])
            rows = RowFinder(keys[first:last]).find(ordered["key"][mine]) + first
            rank[rows] = order[mine]
        return rank

    def _read_customers(self) -> dict[str, Any]:
        return self._read(
            "customer",
            {
                "key": ("key", "int8"),
                "properties": ("properties", "int4"),
                "people": (_OR_NONE.format("people"), "int4"),
                "is_critical": ("critical IS NOT NULL", "bool"),
                "is_guessed": ("is_guessed", "bool"),
                "demand_l": (_OR_NAN.format("demand_l_per_property_day"), "float8"),
                "tank_m3": ("coalesce(building_tank_m3, 0)", "float8"),
            },
        )

    def _read_places(self, table: str, columns: dict[str, tuple[str, str]]) -> dict[str, Any]:
        return self._read(
            table,
            columns
            | {
                "pipe": (_OR_NONE.format("pipe_key"), "int8"),
                "at_m": (_OR_NAN.format("at_m"), "float8"),
                "node": (_OR_NONE.format("node_key"), "int8"),
            },
        )

    def _feeds(self, customers: Keys) -> dict[str, Any]:
        feeds = self._read_places(
            "customer_feed", {"key": ("customer_key", "int8"), "rank": ("rank", "int2")}
        )
        return {
            "feed_premises": RowFinder(customers).find(feeds["key"]),
            "feed_pipe": self.pipe_rows.find(feeds["pipe"]),
            "feed_at_m": feeds["at_m"],
            "feed_node": self.node_rows.find(feeds["node"]),
        }

    def _ends(self, columns: dict[str, Any]) -> Rows:
        ends = np.empty((len(columns["start"]), 2), dtype=np.int32)
        ends[:, 0] = self.node_rows.find(columns["start"])
        ends[:, 1] = self.node_rows.find(columns["end"])
        return ends

    def _read(
        self, table: str, columns: dict[str, tuple[str, str]], where: str = "true"
    ) -> dict[str, Any]:
        """Read columns of a table in the order of its key (and rank)."""
        chosen = ", ".join(f'{expression} AS "{name}"' for name, (expression, _) in columns.items())
        found = self._copy(
            f"SELECT {chosen} FROM {table} WHERE {where}",  # noqa: S608 - our own names
            {name: kind for name, (_, kind) in columns.items()},
        )
        key = found["key"]
        # Rows mostly lie in the order in which they were imported, and need no sorting.
        if "rank" in found:
            order = np.lexsort((found["rank"], key))
        elif (np.diff(key) > 0).all():
            return found
        else:
            order = np.argsort(key, kind="stable")
        return {name: column[order] for name, column in found.items()}

    def _copy(self, query: str, columns: dict[str, str]) -> dict[str, Any]:
        """
        Read columns that are never null, named in the query.

        The server puts each into one array: a million rows one by one take five times as long.
        """
        arrays = ", ".join(f'array_agg("{name}")' for name in columns)
        with (
            self.connection.cursor() as cursor,
            cursor.copy(
                f"COPY (SELECT {arrays} FROM ({query}) AS found)"  # noqa: S608 - our own names
                " TO STDOUT (FORMAT BINARY)".encode()
            ) as copy,
        ):
            data = b"".join(copy)
        at = _HEADER_BYTES + _COUNT_BYTES
        found = {}
        for name, kind in columns.items():
            size = int.from_bytes(data[at : at + 4], "big", signed=True)
            at += 4
            found[name] = _read_array(data, at, max(size, 0), np.dtype(_TYPES[kind]))
            at += max(size, 0)
        return found


def _read_array(data: bytes, at: int, size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Read an array as PostgreSQL sends it: a head, then each element after its size."""
    record = np.dtype([("size", ">i4"), ("value", dtype)])
    count, odd = divmod(max(size - _ARRAY_HEAD_BYTES, 0), record.itemsize)
    if odd:
        raise ValueError(f"{size} bytes are no array of {dtype} without nulls")
    table = np.frombuffer(
        data, dtype=record, count=count, offset=at + _ARRAY_HEAD_BYTES * (count > 0)
    )
    return table["value"].astype(dtype.newbyteorder("="))


@dataclass(frozen=True, slots=True, eq=False)
class _Devices:
    """Columns of valves, pumps and control valves, one after the other."""

    columns: dict[str, Any]
    rank: Rows

    def arrays(self, loading: _Loading) -> dict[str, Any]:
        """Give what `Network` wants of them."""
        columns = self.columns
        return {
            "device_kind": columns["device_kind"].astype(np.int8),
            "device_ends": loading._ends(columns),  # noqa: SLF001 - parts of one reading
            "device_pipe": loading.pipe_rows.find(columns["pipe"]),
            "device_at_m": columns["at_m"],
            "device_is_open": columns["is_open"],
            "device_boundary": columns["boundary"],
            "device_rank": self.rank,
            "facts": DeviceFacts(
                position=columns["position"].astype(np.int8),
                operability=columns["operability"].astype(np.int8),
                reachable=columns["reachable"],
            ),
        }


class RowFinder:
    """Finds rows by key, in a table of all keys where these lie close together."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.first = int(keys[0]) if len(keys) else 0
        span = int(keys[-1]) - self.first + 1 if len(keys) else 0
        self.table: Rows | None = None
        if span <= 4 * len(keys) + 1000:
            self.table = np.full(span, NONE, dtype=np.int32)
            self.table[keys - self.first] = np.arange(len(keys), dtype=np.int32)

    def find(self, wanted: Keys) -> Rows:
        """Give the row of each key; -1 where the key is -1."""
        if not len(self.keys):
            return np.full(len(wanted), NONE, dtype=np.int32)
        is_there = wanted >= 0
        if self.table is not None:
            rows = self.table[np.where(is_there, wanted - self.first, 0)]
        else:
            rows = np.searchsorted(self.keys, wanted).astype(np.int32)
        return np.where(is_there, rows, np.int32(NONE))


assert [kind.value for kind in DeviceKind] == [0, 1, 2, 3]  # noqa: S101 - written into the SQL
assert [Position.OPEN, Position.CLOSED, Position.UNKNOWN] == [0, 1, 2]  # noqa: S101
assert [Operability.OPERABLE, Operability.INOPERABLE, Operability.UNKNOWN] == [0, 1, 2]  # noqa: S101
