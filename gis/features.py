"""The features of a network file, one class a kind, as `design/network-format.md` names them."""

from __future__ import annotations

import re
from dataclasses import dataclass as plain_dataclass
from dataclasses import field, fields
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field, Strict, StringConstraints
from pydantic.dataclasses import dataclass

from gis.findings import Report

LARGEST = 1e12
"""No quantity of a water network is larger; sums of such numbers stay finite."""

ID_PATTERN = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*[^\x00-\x20\x7f-\xa0\u2028\u2029\u3000][^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"  # noqa: E501


def _check_date(text: str) -> str:
    """Accept a year, a month or a day; a shop's "1998-13" is no date."""
    if not re.fullmatch(r"[0-9]{4}(-[0-9]{2}){0,2}", text):
        raise ValueError("not a date")
    date.fromisoformat(text + "0000-01-01"[len(text) :])
    return text


Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=ID_PATTERN)]
Text = Annotated[str, StringConstraints(max_length=10_000)]
Date = Annotated[str, AfterValidator(_check_date)]
Flag = Annotated[bool, Strict()]
Number = Annotated[float, Field(strict=True, ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
Amount = Annotated[float, Field(strict=True, ge=0, le=LARGEST, allow_inf_nan=False)]
Positive = Annotated[float, Field(strict=True, gt=0, le=LARGEST, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]
Lon = Annotated[float, Field(strict=True, ge=-180, le=180, allow_inf_nan=False)]
Lat = Annotated[float, Field(strict=True, ge=-90, le=90, allow_inf_nan=False)]
Point = Annotated[list[tuple[Lon, Lat]], Field(min_length=1, max_length=1)]
Line = Annotated[list[tuple[Lon, Lat]], Field(min_length=2)]
PointOrLine = Annotated[list[tuple[Lon, Lat]], Field(min_length=1)]
Status = Literal["open", "closed"]
Position = Literal["open", "closed", "unknown"]
Operability = Literal["operable", "inoperable", "unknown"]

_CONFIG = ConfigDict(extra="forbid")
_PLACED = {"placed": True}
"""Marks what `gis.topology.place` fills in and no file gives."""


@dataclass(slots=True, kw_only=True, config=_CONFIG)
class Feature:
    """
    What every feature has.

    Attributes
    ----------
    id
        Text, unique within its kind.
    geometry
        Pairs (lon, lat) in degrees, WGS84; one pair for a point.
    extra
        Properties of the file that the format does not know: kept and shown.
    """

    kind: ClassVar[str]
    shapes: ClassVar[tuple[str, ...]]

    id: Id
    geometry: PointOrLine
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True, config=_CONFIG)
class NodeFeature(Feature):
    """A point where links meet or end. `is_made`: no feature of the file, ends met there."""

    kind: ClassVar[str] = "node"
    shapes: ClassVar[tuple[str, ...]] = ("Point",)

    geometry: Point
    elevation_m: Number | None = None
    demand_m3_day: Number | None = None
    is_made: bool = field(default=False, metadata=_PLACED)


@dataclass(slots=True, kw_only=True, config=_CONFIG)
class PipeFeature(Feature):
    """A length of pipe. `class` of the format is `pipe_class`, the word being taken."""

    kind: ClassVar[str] = "pipe"
    shapes: ClassVar[tuple[str, ...]] = ("LineString",)

    geometry: Line
    diameter_mm: Positive
    material: Text | None = None
    laid_on: Date | None = None
    pipe_class: Literal["distribution", "transmission", "raw", "service"] = "distribution"
    start_node: Id | None = None
    end_node: Id | None = None
    length_m: Amount | None = None
    roughness_mm: Amount | None = None
    status: Status = "open"
    one_way: Flag = False
    zone: Text | None = None
    owner: Text | None = None
    is_start_guessed: bool = field(default=False, metadata=_PLACED)
    is_end_guessed: bool = field(default=False, metadata=_PLACED)
    is_length_measured: bool = field(default=False, metadata=_PLACED)


@dataclass(slots=True, kw_only=True, config=_CONFIG)
class ValveFeature(Feature):
    """
    An isolation valve, as a point on a pipe or a link between two nodes.

    `position` stays None where the file has none: it is treated as open and
    `is_position_assumed` says so. `at_m` is the place along `pipe`, measured
    from the drawing unless a reader knows better (`is_place_given`).
    """

    kind: ClassVar[str] = "valve"
    shapes: ClassVar[tuple[str, ...]] = ("Point", "LineString")

    pipe: Id | None = None
    start_node: Id | None = None
    end_node: Id | None = None
    position: Position | None = None
    operability: Operability = "unknown"
    reachable: Flag = True
    boundary: Flag = False
    turns: Amount | None = None
    closes: Literal["clockwise", "anticlockwise", "unknown"] = "unknown"
    valve_type: Text | None = None
    last_exercised_on: Date | None = None
    diameter_mm: Positive | None = None
    at_m: float | None = field(default=None, metadata=_PLACED)
    is_place_given: bool = field(default=False, metadata=_PLACED)
    is_pipe_guessed: bool = field(default=False, metadata=_PLACED)
    is_start_guessed: bool = field(default=False, metadata=_PLACED)
    is_end_guessed: bool = field(default=False, metadata=_PLACED)
    is_position_assumed: bool = field(default=False, metadata=_PLACED)


@dataclass(slots=True, kw_only=True, config=_CONFIG)
class PumpFeature(Feature):
    """A pump between two nodes; water passes from its start to its end."""

    kind: ClassVar[str] = "pump"
    shapes: ClassVar[tuple[str, ...]] = ("LineString",)

    geometry: Line
    start_node: Id | None = None
    end_node: Id | None = None
    status: Status = "open"
    is_start_guessed: bool = field(default=False, metadata=_PLACED)
    is_end_guessed: bool = field(default=False, metadata=_PLACED)


@dataclass(slots=True, kw_only=True, config=_CONFIG)
class ControlValveFeature(Feature):
    """A PRV, PSV, FCV or TCV; with `isolates` also a one-way isolation valve."""

    kind: ClassVar[str] = "control_valve"
    shapes: ClassVar[tuple[str, ...]] = ("LineString",)

    geometry: Line
    start_node: Id | None = None
    end_node: Id | None = None
    status: Status = "open"
    type: Literal["PRV", "PSV", "FCV", "TCV"] | None = None
    setting: Number | None = None
    isolates: Flag = False
    position: Position | None = None
    operability: Operability = "unknown"
    reachable: Flag = True
    boundary: Flag = False
    is_start_guessed: bool = field(default=False, metadata=_PLACED)
    is_end_guessed: bool = field(default=False, metadata=_PLACED)
    is_position_assumed: bool = field(default=False, metadata=_PLACED)


@dataclass(slots=True, kw_only=True, config=_CONFIG)
class SourceFeature(Feature):
    """A works, reservoir, well or tank at a node."""

    kind: ClassVar[str] = "source"
    shapes: ClassVar[tuple[str, ...]] = ("Point",)

    geometry: Point
    node: Id | None = None
    type: Literal["treatment_plant", "reservoir", "well", "tank"] | None = None
    head_m: Number | None = None
    volume_m3: Amount | None = None
    inflow: Flag = True
    is_node_guessed: bool = field(default=False, metadata=_PLACED)


@dataclass(slots=True, kw_only=True, config=_CONFIG)
class Feed:
    """
    One of the places from which a premises is fed: on a pipe, or at a node.

    `at_m` and `is_guessed` are filled in by `gis.topology.place`.
    """

    pipe: Id | None = None
    node: Id | None = None
    at_m: float | None = None
    is_guessed: bool = False


@dataclass(slots=True, kw_only=True, config=_CONFIG)
class CustomerFeature(Feature):
    """A connection. After placing, `feeds` holds all its feeds, `pipe`/`node` the first one."""

    kind: ClassVar[str] = "customer"
    shapes: ClassVar[tuple[str, ...]] = ("Point",)

    geometry: Point
    pipe: Id | None = None
    node: Id | None = None
    properties: Count = 1
    people: Count | None = None
    category: Text | None = None
    critical: Text | None = None
    demand_l_per_property_day: Amount | None = None
    building_tank_m3: Amount | None = None
    feeds: list[Feed] = field(default_factory=list)
    is_guessed: bool = field(default=False, metadata=_PLACED)


@dataclass(slots=True, kw_only=True, config=_CONFIG)
class HydrantFeature(Feature):
    """A hydrant on a pipe or at a node."""

    kind: ClassVar[str] = "hydrant"
    shapes: ClassVar[tuple[str, ...]] = ("Point",)

    geometry: Point
    node: Id | None = None
    pipe: Id | None = None
    flow_l_s: Amount | None = None
    at_m: float | None = field(default=None, metadata=_PLACED)
    is_guessed: bool = field(default=False, metadata=_PLACED)


@dataclass(slots=True, kw_only=True, config=_CONFIG)
class RoadFeature(Feature):
    """A road that a crew may drive."""

    kind: ClassVar[str] = "road"
    shapes: ClassVar[tuple[str, ...]] = ("LineString",)

    geometry: Line
    name: Text | None = None
    speed_kmh: Positive | None = None
    one_way: Flag = False
    closed: Flag = False


@dataclass(slots=True, kw_only=True, config=_CONFIG)
class DepotFeature(Feature):
    """A place from which crews start."""

    kind: ClassVar[str] = "depot"
    shapes: ClassVar[tuple[str, ...]] = ("Point",)

    geometry: Point
    name: Text | None = None


AnyFeature = (
    NodeFeature
    | PipeFeature
    | ValveFeature
    | PumpFeature
    | ControlValveFeature
    | SourceFeature
    | CustomerFeature
    | HydrantFeature
    | RoadFeature
    | DepotFeature
)

KINDS: dict[str, type[AnyFeature]] = {
    "node": NodeFeature,
    "pipe": PipeFeature,
    "valve": ValveFeature,
    "pump": PumpFeature,
    "control_valve": ControlValveFeature,
    "source": SourceFeature,
    "customer": CustomerFeature,
    "hydrant": HydrantFeature,
    "road": RoadFeature,
    "depot": DepotFeature,
}

RENAMED = {"class": "pipe_class"}
"""Names of the format that Python keeps for itself."""

FORMAT_NAMES = {python: name for name, python in RENAMED.items()}


def properties_of(kind: type[Feature]) -> tuple[str, ...]:
    """Name the properties that the format gives this kind, as Python attributes."""
    return tuple(
        entry.name
        for entry in fields(kind)
        if entry.name not in {"id", "geometry", "extra"} and not entry.metadata.get("placed")
    )


PROPERTIES: dict[str, tuple[str, ...]] = {name: properties_of(kind) for name, kind in KINDS.items()}
"""Properties of the format by kind, as Python attributes, in the order of the format."""


@plain_dataclass(slots=True, kw_only=True, eq=False)
class FeatureSet:
    """
    The features of one file, one list a kind.

    Attributes
    ----------
    skipped
        Number of features by kind that the format does not know.
    remarks
        What the reader guessed on its way.
    """

    nodes: list[NodeFeature] = field(default_factory=list)
    pipes: list[PipeFeature] = field(default_factory=list)
    valves: list[ValveFeature] = field(default_factory=list)
    pumps: list[PumpFeature] = field(default_factory=list)
    control_valves: list[ControlValveFeature] = field(default_factory=list)
    sources: list[SourceFeature] = field(default_factory=list)
    customers: list[CustomerFeature] = field(default_factory=list)
    hydrants: list[HydrantFeature] = field(default_factory=list)
    roads: list[RoadFeature] = field(default_factory=list)
    depots: list[DepotFeature] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    remarks: Report = field(default_factory=Report)
