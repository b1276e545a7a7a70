"""
EPANET's INP files, read through wntr.

An INP file holds no isolation valves and no customers. Every junction with a
demand becomes one customer, and an assumed layer of valves can be asked for;
both carry it in their `extra`, so that every answer can say so.
"""

from __future__ import annotations

import logging
import re
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gis.findings import Finding
from gis.formats.building import Builder, refuse
from gis.formats.crs import transformer_from
from gis.formats.encoding import decode_text
from gis.formats.inp_lines import CONTROLS, check, split
from gis.lines import Lines, metres_per_degree
from gis.memory import without_collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gis.features import FeatureSet
    from gis.formats.inp_lines import Sections

    Point = tuple[float, float]

_SECONDS_A_DAY = 86_400
_LITRES = 1_000
_LARGEST_FILE = 2_000_000_000
_CONTROL_TYPES = {"PRV", "PSV", "FCV", "TCV"}


def read_epanet(
    path: str | Path, crs: str | None = None, valves: Literal["none", "ends"] = "none"
) -> FeatureSet:
    """
    Read a hydraulic model.

    Parameters
    ----------
    path
        The INP file.
    crs
        Its coordinate system as "EPSG:n". Without one, coordinates that fit the pipes' lengths as
        degrees are degrees; others are drawn to the scale of the pipes' lengths around longitude
        0, latitude 0, and a finding says so.
    valves
        "ends" assumes an open isolation valve at both ends of every pipe.

    Returns
    -------
    FeatureSet
        In SI units. Lengths are those of the file, not of the drawing.

    Raises
    ------
    FormatError
        With every line that is wrong.
    """
    path = Path(path)
    text = _text_of(path)
    sections, kept = split(text)
    check(sections)
    with without_collector():
        return _Reading(_model(kept, path.name), sections, crs, valves).run()


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise refuse("file-too-large", file=path.name, limit="2 GB")
        data = path.read_bytes()
    except FileNotFoundError:
        raise refuse("file-missing", file=path.name) from None
    except OSError as error:
        raise refuse("file-unreadable", file=path.name, reason=error.strerror) from None
    if not data.strip():
        raise refuse("file-empty")
    text = decode_text(data)
    if text is None or "\0" in text:
        raise refuse("text-encoding", file=path.name)
    return text


def _model(text: str, name: str) -> Any:  # noqa: ANN401  # wntr has no types
    """Let wntr read the text."""
    with _quiet(), tempfile.TemporaryDirectory() as folder:
        from wntr.network import WaterNetworkModel  # noqa: PLC0415

        copy = Path(folder) / "model.inp"
        copy.write_text(text, encoding="utf-8")
        try:
            return WaterNetworkModel(str(copy))
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  # wntr raises whatever Python does on bad text
            raise refuse("inp-broken", file=name, reason=_reason(error, text)) from None


def _reason(error: BaseException, text: str) -> str:
    """Give the innermost sentence of an error, and the line that it speaks of."""
    while error.__cause__ is not None:
        error = error.__cause__
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    found = re.search(r"line (\d+)", reason)
    lines = text.splitlines()
    if found and 0 < int(found[1]) <= len(lines):
        reason += f" ({lines[int(found[1]) - 1].strip()[:100]})"
    return reason


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep wntr's warnings from the user; what matters of them is a finding."""
    logger = logging.getLogger("wntr")
    was_disabled = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = was_disabled


class _Reading:
    """Makes features of one model."""

    def __init__(self, model: Any, sections: Sections, crs: str | None, valves: str) -> None:  # noqa: ANN401
        self.model = model
        self.sections = sections
        self.valves = valves
        self.builder = Builder(transformer_from(crs))
        self.is_local = crs is None
        self.count = 0

    def run(self) -> FeatureSet:
        """Make all features, and say what had to be assumed."""
        with _quiet():
            self.places = self._places()
            if self.is_local:
                self._draw_locally()
            for name, node in self.model.nodes():
                self._add_node(name, node)
            for name, link in self.model.links():
                self._add_link(name, link)
        controls = sum(len(self.sections.get(name, [])) for name in CONTROLS)
        if controls:
            self._remark("inp-controls-left-out", count=controls)
        features = self.builder.finish()
        if features.customers:
            self._remark("inp-customers-assumed", count=len(features.customers))
        if features.valves:
            self._remark("inp-valves-assumed", count=len(features.valves))
        return features

    def _remark(
        self, code: str, severity: Literal["guessed", "wrong"] = "guessed", **params: object
    ) -> None:
        self.builder.report.add(Finding(code=code, severity=severity, params=params))

    # --- places ---

    def _places(self) -> dict[str, Point]:
        """Give every node a place; one without coordinates gets a neighbour's."""
        drawn = {line[0] for _, line in self.sections.get("COORDINATES", [])}
        places = {
            name: (float(node.coordinates[0]), float(node.coordinates[1]))
            for name, node in self.model.nodes()
            if name in drawn
        }
        lost = [name for name in self.model.node_name_list if name not in places]
        if lost:
            self._remark("inp-coordinates-missing", severity="wrong", count=len(lost), id=lost[0])
        while lost:
            found = {}
            for _, link in self.model.links():
                one, two = link.start_node_name, link.end_node_name
                if one in places and two not in places:
                    found[two] = places[one]
                elif two in places and one not in places:
                    found[one] = places[two]
            if not found:
                places.update(dict.fromkeys(lost, next(iter(places.values()), (0.0, 0.0))))
                break
            places.update(found)
            lost = [name for name in lost if name not in places]
        return places

    def _line(self, link: Any) -> list[Point]:  # noqa: ANN401
        middle = [(float(x), float(y)) for x, y in link.vertices]
        return [self.places[link.start_node_name], *middle, self.places[link.end_node_name]]

    def _draw_locally(self) -> None:
        """Find out whether coordinates are degrees, and bring them there if they are not."""
        pipes = [pipe for _, pipe in self.model.pipes()]
        lines = [self._line(pipe) for pipe in pipes]
        given = np.array([pipe.length for pipe in pipes])
        xy = np.array(list(self.places.values())).reshape(-1, 2)
        is_degrees = bool((np.abs(xy[:, 0]) <= 180).all() and (np.abs(xy[:, 1]) <= 90).all())
        if is_degrees and lines and 0.5 < _middle_ratio(given, Lines.of(lines).length_m) < 2:
            return
        scale = _middle_ratio(given, np.array([_plane_length(line) for line in lines]))
        middle = (xy.min(axis=0) + xy.max(axis=0)) / 2
        size = float(np.abs(xy - middle).max()) * scale
        if size > 5e6:  # a quarter of the globe: no drawing of a town
            scale *= 5e6 / size
        east, north = (float(value[0]) for value in metres_per_degree(np.zeros(1)))
        self._remark("inp-drawn-locally", scale=f"{scale:.4g}")

        def move(point: Point) -> Point:
            x, y = ((point[at] - middle[at]) * scale for at in (0, 1))
            return float(x / east), float(y / north)

        self.places = {name: move(place) for name, place in self.places.items()}
        for _, link in self.model.links():
            link.vertices = [move((float(x), float(y))) for x, y in link.vertices]

    # --- nodes ---

    def _add(self, kind: str, shape: str, geometry: Any, **properties: object) -> None:  # noqa: ANN401
        given = {name: value for name, value in properties.items() if value is not None}
        self.builder.add(kind, given, shape, geometry, self.count)
        self.count += 1

    def _add_node(self, name: str, node: Any) -> None:  # noqa: ANN401
        place = self.places[name]
        demand = 0.0
        if node.node_type == "Junction":
            demand = self._demand_m3_day(node)
            height = node.elevation
        else:
            height = node.elevation if node.node_type == "Tank" else None
        self._add(
            "node",
            "Point",
            place,
            id=name,
            elevation_m=height,
            demand_m3_day=round(demand, 9) or None,
        )
        if node.node_type != "Junction":
            self._add_source(name, node, place)
        elif demand > 0:
            self._add(
                "customer",
                "Point",
                place,
                id=name,
                node=name,
                properties=1,
                demand_l_per_property_day=round(demand * _LITRES, 6),
                assumed="one connection for a junction with demand",
            )
        elif demand < 0:
            self.builder.report.add(
                Finding(
                    code="inp-junction-supplies",
                    severity="wrong",
                    kind="node",
                    id=name,
                    params={"demand_m3_day": round(demand, 3)},
                )
            )

    def _demand_m3_day(self, junction: Any) -> float:  # noqa: ANN401
        """Add up base demands, each with the mean of its pattern."""
        total = 0.0
        for demand in junction.demand_timeseries_list:
            pattern = demand.pattern
            mean = 1.0
            if pattern is not None and len(pattern.multipliers):
                mean = float(np.mean(pattern.multipliers))
            total += float(demand.base_value) * mean
        multiplier = self.model.options.hydraulic.demand_multiplier
        return total * float(1.0 if multiplier is None else multiplier) * _SECONDS_A_DAY

    def _add_source(self, name: str, node: Any, place: Point) -> None:  # noqa: ANN401
        if node.node_type == "Reservoir":
            self._add(
                "source",
                "Point",
                place,
                id=name,
                node=name,
                type="reservoir",
                head_m=float(node.base_head),
            )
            return
        self._add(
            "source",
            "Point",
            place,
            id=name,
            node=name,
            type="tank",
            head_m=float(node.elevation + node.init_level),
            volume_m3=round(_volume_m3(node), 3),
            diameter_m=float(node.diameter),
            init_level_m=float(node.init_level),
            min_level_m=float(node.min_level),
            max_level_m=float(node.max_level),
        )

    # --- links ---

    def _add_link(self, name: str, link: Any) -> None:  # noqa: ANN401
        ends = {"start_node": link.start_node_name, "end_node": link.end_node_name}
        line = self._line(link)
        status = "closed" if link.initial_status.name == "Closed" else "open"
        if link.link_type == "Pipe":
            self._add_pipe(name, link, line, status, ends)
        elif link.link_type == "Pump":
            self._add("pump", "LineString", line, id=name, status=status, **ends)
        else:
            kind = str(link.valve_type)
            is_known = kind in _CONTROL_TYPES
            self._add(
                "control_valve",
                "LineString",
                line,
                id=name,
                status=status,
                type=kind if is_known else None,
                setting=_setting(link),
                diameter_mm=float(link.diameter) * 1000,
                **({} if is_known else {"epanet_type": kind}),
                **ends,
            )

    def _add_pipe(
        self,
        name: str,
        pipe: Any,  # noqa: ANN401
        line: list[Point],
        status: str,
        ends: dict[str, str],
    ) -> None:
        self._add(
            "pipe",
            "LineString",
            line,
            id=name,
            diameter_mm=round(float(pipe.diameter) * 1000, 6),
            length_m=float(pipe.length),
            status=status,
            one_way=bool(pipe.check_valve),
            roughness=float(pipe.roughness),
            **ends,
        )
        if self.valves == "ends":
            length = float(pipe.length)
            for end, place, at_m in (("start", line[0], 0.0), ("end", line[-1], length)):
                before = len(self.builder.features.valves)
                self._add(
                    "valve",
                    "Point",
                    place,
                    id=f"{name}@{end}",
                    pipe=name,
                    position="open",
                    assumed_layer=True,
                )
                for valve in self.builder.features.valves[before:]:
                    valve.at_m, valve.is_place_given = at_m, True


def _middle_ratio(given: Any, drawn: Any) -> float:  # noqa: ANN401
    """Give how many times longer pipes are than drawn, in the middle."""
    usable = (drawn > 0) & (given > 0)
    ratio = float(np.median(given[usable] / drawn[usable])) if usable.any() else 1.0
    return ratio if np.isfinite(ratio) and ratio > 0 else 1.0


def _plane_length(line: list[Point]) -> float:
    steps = np.diff(np.array(line), axis=0)
    return float(np.hypot(steps[:, 0], steps[:, 1]).sum())


def _volume_m3(tank: Any) -> float:  # noqa: ANN401
    """Give what a tank holds between its lowest and its highest level."""
    curve = tank.vol_curve
    if curve is not None and len(curve.points) > 1:
        levels, volumes = zip(*curve.points, strict=True)
        span = np.interp([tank.min_level, tank.max_level], levels, volumes)
        return max(float(span[1] - span[0]), 0.0)
    height = max(float(tank.max_level - tank.min_level), 0.0)
    return float(np.pi / 4 * tank.diameter**2 * height)


def _setting(valve: Any) -> float | None:  # noqa: ANN401
    """Give the setting in metres of head, cubic metres a second, or as a plain number."""
    try:
        return float(valve.initial_setting)
    except (TypeError, ValueError):
        return None  # a GPV is set by a curve
