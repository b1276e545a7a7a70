"""An outage drawn: as GeoJSON, and as a map in one file that opens without a network."""

from __future__ import annotations

import datetime as dt
import html
import re
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import folium
import numpy as np
from flask_babel import gettext as _
from jinja2 import Environment, FileSystemLoader

from fieldops.errors import FieldopsError
from fieldops.isolation_plans import queries
from fieldops.outage_questions.service import PARTS_A_PIPE
from fieldops.outages.forms import as_json, clock, remark_texts, utc
from fieldops.outages.service import preview_outage
from gis.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sqlalchemy.orm import Session

    from fieldops.isolation_plans.queries import Box, DrawnPipe, Line
    from fieldops.outage_questions.service import Question
    from fieldops.outage_times.service import Interval
    from fieldops.outages.service import OutageAnswer

MOST_FEATURES = 20_000
"""A browser draws so many without losing its breath."""
MARGIN = 0.3
"""How much of the surroundings is drawn, as a share of the plan's own size."""
LEAST_MARGIN_DEG = 0.002
ON_TOP = 1000
ROOM = {"padding_top_left": (60, 40), "padding_bottom_right": (360, 60)}
"""Pixels kept free round the plan: the words stand at its right."""
HERE = Path(__file__).resolve().parent
STATIC = HERE.parent / "static"
TEMPLATES = HERE.parents[1] / "templates"


@dataclass(frozen=True, slots=True)
class Drawn:
    """One thing on the plan, with what it is in this outage."""

    kind: str
    id: str
    state: str
    line: Line
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drawing:
    """An answer and the shapes of all it names; `left_out` things were too many to draw."""

    answer: OutageAnswer
    features: list[Drawn]
    left_out: int = 0


def draw_outage(
    session: Session, question: Question, now: dt.datetime, most: int | None = None
) -> Drawing:
    """Answer, and fetch the shapes of everything the answer names."""
    question = replace(question, with_keys=True, with_intervals=True)
    answer = preview_outage(session, question, now)
    features = list(_draw_devices(answer))
    wanted = _wanted(answer)
    total = sum(map(len, wanted.values()))
    room = total if most is None else max(most - len(features), 0)
    chosen = _choose(wanted, room)
    features += _draw_pipes(session, chosen["pipe"])
    features += _draw_points(session, answer, chosen)
    return Drawing(answer, features, max(total - room, 0))


def as_geojson(drawing: Drawing) -> dict[str, Any]:
    """Write an answer as features with their state; the answer itself goes along."""
    return {
        "type": "FeatureCollection",
        "outage": as_json(drawing.answer),
        "features": [
            {
                "type": "Feature",
                "geometry": _geometry(one),
                "properties": {"kind": one.kind, "id": one.id, "state": one.state, **one.facts},
            }
            for one in drawing.features
        ],
    }


def draw_plan(session: Session, question: Question, now: dt.datetime) -> str:
    """Draw an isolation plan as one HTML file that asks no other host for anything."""
    drawing = draw_outage(session, question, now, MOST_FEATURES)
    box = box_of(drawing.features)
    return _as_map(add_surroundings(session, drawing, MOST_FEATURES), box, now)


def add_surroundings(session: Session, drawing: Drawing, most: int) -> Drawing:
    """Put the pipes and links round about under the plan, up to `most` things in all."""
    box = box_of(drawing.features)
    if box is None:
        return drawing
    room = max(most - len(drawing.features), 0)
    keys = drawing.answer.keys
    known = {key // PARTS_A_PIPE for key in (*keys["parts_shut"], *keys["parts_cut_off"])}
    pipes = queries.fetch_pipes_around(session, _widen(box), known, room)
    links = queries.fetch_links_around(session, _widen(box), max(room - len(pipes), 0))
    around = [Drawn("pipe", pipe.id, "supplied", pipe.line) for pipe in pipes]
    around += [Drawn(table, text_id, "link", line) for table, text_id, line in links]
    return replace(drawing, features=around + drawing.features)


# ---- shapes --------------------------------------------------------------------------------------


def _wanted(answer: OutageAnswer) -> dict[str, dict[int, str]]:
    """List the keys of what is drawn from the database, by kind, each with its state."""
    keys = answer.keys
    return {
        "source": dict.fromkeys(keys["sources_shut"], "shut"),
        "pipe": dict.fromkeys(keys["parts_shut"], "shut")
        | dict.fromkeys(keys["parts_cut_off"], "cut_off"),
        "hydrant": dict.fromkeys(keys["hydrants_dry"], "dry"),
        "customer": dict.fromkeys(keys["customers_shut"], "shut")
        | dict.fromkeys(keys["customers_cut_off"], "cut_off"),
    }


def _choose(wanted: dict[str, dict[int, str]], room: int) -> dict[str, dict[int, str]]:
    """Take as many as there is room for: what is shut before what is cut off."""
    chosen = {}
    for kind, states in wanted.items():
        chosen[kind] = dict(islice(states.items(), room))
        room -= len(chosen[kind])
    return chosen


def _draw_pipes(session: Session, states: Mapping[int, str]) -> Iterator[Drawn]:
    """Draw the parts of pipes that are meant, each between its valves."""
    pipes = queries.fetch_pipes(session, {key // PARTS_A_PIPE for key in states})
    of_key = {pipe.key: pipe for pipe in pipes}
    for tile_id in sorted(states):
        pipe = of_key.get(tile_id // PARTS_A_PIPE)
        if pipe is None:
            continue
        facts = {"diameter_mm": pipe.diameter_mm, "material": pipe.material}
        line = _part(pipe, tile_id % PARTS_A_PIPE)
        yield Drawn("pipe", pipe.id, states[tile_id], line, facts)


def _part(pipe: DrawnPipe, number: int) -> Line:
    """Cut a part out of a pipe's drawing, by the shares of its length."""
    if not pipe.cuts_m or pipe.length_m <= 0:
        return pipe.line
    places = [0.0, *pipe.cuts_m, pipe.length_m]
    number = min(number, len(places) - 2)
    first, last = places[number] / pipe.length_m, places[number + 1] / pipe.length_m
    lines = Lines.of([pipe.line])
    along = lines.along_m / lines.along_m[-1] if lines.along_m[-1] > 0 else lines.along_m
    inside = (along > first) & (along < last)
    ends = np.array([first, last])
    lon, lat = np.interp(ends, along, lines.lon), np.interp(ends, along, lines.lat)
    middle = list(zip(lines.lon[inside].tolist(), lines.lat[inside].tolist(), strict=True))
    return [(float(lon[0]), float(lat[0])), *middle, (float(lon[1]), float(lat[1]))]


def _draw_devices(answer: OutageAnswer) -> Iterator[Drawn]:
    states = {
        "optional": "optional",
        "verify_shut": "verify_shut",
        "pump": "stop",
        "refeed": "refeed",
        "stuck": "stuck",
    }
    for step in answer.steps:
        device = step.device
        facts = {"number": step.number, "closed_at": utc(step.closed.p50)}
        yield Drawn(device.table, device.id, "to_close", [(device.lon, device.lat)], facts)
    for name, state in states.items():
        for device in answer.devices[name]:
            yield Drawn(device.table, device.id, state, [(device.lon, device.lat)])


def _draw_points(
    session: Session, answer: OutageAnswer, chosen: Mapping[str, Mapping[int, str]]
) -> Iterator[Drawn]:
    wanted = {kind: states for kind, states in chosen.items() if kind != "pipe"}
    intervals = {one.customer: one for one in answer.intervals}
    points = queries.fetch_points(session, wanted)
    for (table, key), point in points.items():
        facts: dict[str, Any] = {}
        if table == "customer":
            facts = {"critical": point.is_critical, **_times(intervals.get(point.id))}
        yield Drawn(table, point.id, wanted[table][key], [(point.lon, point.lat)], facts)


def _times(interval: Interval | None) -> dict[str, str | None]:
    if interval is None:
        return {}
    moments = {
        "mains_off": interval.mains_off,
        "tap_dry": interval.tap_dry,
        "restored": interval.restored,
    }
    return {name: utc(moment) if moment else None for name, moment in moments.items()}


def box_of(features: Iterable[Drawn]) -> Box | None:
    """Give west, south, east and north of some drawn things; None where there are none."""
    places = np.array([place for one in features for place in one.line]).reshape(-1, 2)
    if not places.size:
        return None
    (west, south), (east, north) = places.min(axis=0), places.max(axis=0)
    return float(west), float(south), float(east), float(north)


def _widen(box: Box) -> Box:
    west, south, east, north = box
    wide = max((east - west) * MARGIN, LEAST_MARGIN_DEG)
    high = max((north - south) * MARGIN, LEAST_MARGIN_DEG)
    return west - wide, south - high, east + wide, north + high


# ---- the file ------------------------------------------------------------------------------------


def _as_map(drawing: Drawing, box: Box | None, now: dt.datetime) -> str:
    """Draw with folium, then put everything it would fetch into the file itself."""
    plan = folium.Map(
        location=[0, 0] if box is None else [(box[1] + box[3]) / 2, (box[0] + box[2]) / 2],
        zoom_start=2 if box is None else 17,
        tiles=None,
        prefer_canvas=True,
        control_scale=True,
        max_zoom=22,
        attribution_control=False,
    )
    for layer in (*_pipe_layers(drawing), *_point_layers(drawing), *_markers(drawing)):
        layer.add_to(plan)
    if box is not None:
        plan.fit_bounds([[box[1], box[0]], [box[3], box[2]]], max_zoom=18, **ROOM)
    root: Any = plan.get_root()
    root.title = _("Isolation plan")
    root.html.add_child(folium.Element(_escape_template(_panel(drawing, now))))
    root.header.add_child(folium.Element(_escape_template(_assets())))
    for element in _all_elements(root):
        for name in ("default_js", "default_css"):
            if hasattr(element, name):
                setattr(element, name, [])
    return str(root.render())


def _all_elements(element: Any) -> Iterator[Any]:  # noqa: ANN401 - branca has no types
    yield element
    for child in element._children.values():  # noqa: SLF001 - branca offers no other walk
        yield from _all_elements(child)


def _escape_template(text: str) -> str:
    """Keep branca, which takes every text for a template, from reading this one as such."""
    return "{% raw %}" + text.replace("{% endraw %}", "") + "{% endraw %}"


@cache
def colours() -> Mapping[str, str]:
    """Read the colours of the design tokens."""
    tokens = (STATIC / "css/tokens.css").read_text()
    return dict(re.findall(r"--colour-([a-z-]+): (#[0-9A-Fa-f]{6});", tokens))


@cache
def _assets() -> str:
    """Give Leaflet and our styles as text of the file, and a rule that nothing else is loaded."""
    vendor = STATIC / "vendor"
    try:
        script = (vendor / "leaflet.js").read_text()
        style = (vendor / "leaflet.css").read_text()
    except OSError as error:
        raise FieldopsError(
            "The map library is not in %(folder)s: run ./run once to fetch it.", folder=vendor
        ) from error
    style = re.sub(r"url\([^)]*\)", "none", style)
    ours = (STATIC / "css/tokens.css").read_text() + (STATIC / "css/plan.css").read_text()
    policy = (
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
    )
    # A marker is given its sign only once it is there, and would ask for a picture until then.
    script += "\nL.Marker.mergeOptions({icon: L.divIcon()});"
    return (
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<style>{style}\n{ours}</style><script>{script}</script>"
    )


def _pipe_layers(drawing: Drawing) -> Iterator[Any]:
    styles: dict[str, dict[str, Any]] = {
        "link": {"color": colours()["supplied"], "weight": 2},
        "supplied": {"color": colours()["supplied"], "weight": 2},
        "cut_off": {"color": colours()["cut-off"], "weight": 5, "dashArray": "10 7"},
        "shut": {"color": colours()["shut"], "weight": 6},
    }
    for state, style in styles.items():
        features = [one for one in drawing.features if len(one.line) > 1 and one.state == state]
        if features:
            yield folium.GeoJson(
                _collection(features, _pipe_text),
                style_function=_always(style),
                tooltip=folium.GeoJsonTooltip(["text"], labels=False, sticky=True),
                smooth_factor=0.5,
            )


def _point_layers(drawing: Drawing) -> Iterator[Any]:
    shut, cut_off, water = (colours()[name] for name in ("shut", "cut-off", "water"))
    styles: dict[tuple[str, str], dict[str, Any]] = {
        ("customer", "cut_off"): {
            "radius": 4,
            "color": cut_off,
            "weight": 2,
            "fillColor": "#ffffff",
            "fillOpacity": 1,
        },
        ("customer", "shut"): {
            "radius": 4,
            "color": "#ffffff",
            "weight": 1,
            "fillColor": shut,
            "fillOpacity": 1,
        },
        ("hydrant", "dry"): {
            "radius": 5,
            "color": water,
            "weight": 2,
            "fillColor": "#ffffff",
            "fillOpacity": 1,
        },
    }
    for (kind, state), style in styles.items():
        features = [
            one
            for one in drawing.features
            if (one.kind, one.state) == (kind, state) and not one.facts.get("critical")
        ]
        if features:
            yield folium.GeoJson(
                _collection(features, _point_text),
                marker=folium.CircleMarker(**_as_options(style)),
                tooltip=folium.GeoJsonTooltip(["text"], labels=False),
            )


def _as_options(style: Mapping[str, Any]) -> dict[str, Any]:
    names = {"fillColor": "fill_color", "fillOpacity": "fill_opacity"}
    return {names.get(name, name): value for name, value in style.items()} | {"fill": True}


MARKS = {
    "to_close": "valve",
    "optional": "valve optional",
    "verify_shut": "valve verify",
    "stuck": "valve stuck",
    "stop": "pump",
    "refeed": "valve refeed",
}


def _markers(drawing: Drawing) -> Iterator[Any]:
    for one in drawing.features:
        place = one.line[0][1], one.line[0][0]
        if one.state in MARKS and one.kind != "pipe":
            sign = {"to_close": str(one.facts.get("number", "")), "stop": "P", "stuck": "×"}  # noqa: RUF001
            name, text = MARKS[one.state], _device_text(one)
            yield _mark(place, name, sign.get(one.state, ""), text, is_on_top=bool(one.facts))
        elif one.kind == "source":
            yield _mark(place, "source", "S", one.id)
        elif one.facts.get("critical"):
            yield _mark(place, f"critical {one.state}", "!", _point_text(one))


def _mark(
    place: tuple[float, float], name: str, sign: str, text: str, *, is_on_top: bool = False
) -> Any:  # noqa: ANN401
    icon = folium.DivIcon(
        html=f'<span class="mark {name}">{html.escape(sign)}</span>',
        icon_size=(24, 24),
        icon_anchor=(12, 12),
        class_name="place",
    )
    tooltip = folium.Tooltip(html.escape(text))
    height = ON_TOP if is_on_top else 0
    return folium.Marker(place, icon=icon, tooltip=tooltip, z_index_offset=height)


def _always(style: Mapping[str, Any]) -> Callable[[Any], Mapping[str, Any]]:
    return lambda _feature: style


def _collection(features: list[Drawn], say: Callable[[Drawn], str]) -> dict[str, Any]:
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": _geometry(one),
                "properties": {"text": html.escape(say(one))},
            }
            for one in features
        ],
    }


def _geometry(one: Drawn) -> dict[str, Any]:
    if len(one.line) == 1:
        return {"type": "Point", "coordinates": one.line[0]}
    return {"type": "LineString", "coordinates": one.line}


# ---- words ---------------------------------------------------------------------------------------


def _pipe_text(one: Drawn) -> str:
    if one.state == "link":
        is_pump = one.kind == "pump"
        return str(_("Pump %(id)s", id=one.id) if is_pump else _("Valve %(id)s", id=one.id))
    parts = [_("Pipe %(id)s", id=one.id), _state_text(one.state)]
    if one.facts.get("diameter_mm"):
        parts.append(f"DN{one.facts['diameter_mm']:g}")
    if one.facts.get("material"):
        parts.append(str(one.facts["material"]))
    return " · ".join(parts)


def _point_text(one: Drawn) -> str:
    if one.kind == "hydrant":
        return str(_("Hydrant %(id)s", id=one.id))
    parts = [_("Customer %(id)s", id=one.id), _state_text(one.state)]
    if one.facts.get("critical"):
        parts.append(_("critical customer"))
    if one.facts.get("tap_dry"):
        parts.append(_("tap dry %(time)s", time=_clock(one.facts["tap_dry"])))
    elif one.facts.get("mains_off"):
        parts.append(_("mains off %(time)s", time=_clock(one.facts["mains_off"])))
    if one.facts.get("restored"):
        parts.append(_("restored %(time)s", time=_clock(one.facts["restored"])))
    return " · ".join(parts)


def _device_text(one: Drawn) -> str:
    names = {"pump": _("Pump %(id)s", id=one.id)}
    return f"{names.get(one.kind, _('Valve %(id)s', id=one.id))} · {_state_text(one.state)}"


def _state_text(state: str) -> str:
    states = {
        "shut": _("shut"),
        "cut_off": _("cut off"),
        "supplied": _("not affected"),
        "to_close": _("to close"),
        "optional": _("optional"),
        "verify_shut": _("verify shut"),
        "stop": _("stop"),
        "refeed": _("may re-feed"),
        "stuck": _("cannot be closed"),
        "dry": _("dry"),
    }
    return str(states[state])


def _clock(moment: str) -> str:
    return clock(dt.datetime.fromisoformat(moment), None)


def _panel(drawing: Drawing, now: dt.datetime) -> str:
    """Write the words beside the map."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    page = environment.get_template("isolation_plans/panel.html")
    answer = drawing.answer
    return page.render(
        _=_,
        answer=answer,
        effect=answer.effect,
        left_out=drawing.left_out,
        now=now,
        clock=clock,
        remarks=remark_texts(answer.remarks),
    )
