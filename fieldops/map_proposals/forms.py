"""What pages about proposals may send, and how a place is drawn for people."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fieldops.errors import FieldopsError
from fieldops.map_proposals.service import Decision

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fieldops.map_proposals.queries import Proposal
    from fieldops.map_proposals.service import Look
    from fieldops.network.queries import DrawnPipe, DrawnValve

KIND_NAMES = {
    "moved": _l("is somewhere else"),
    "missing": _l("is not drawn"),
    "not_there": _l("is not there"),
    "wrong_fact": _l("is recorded wrong"),
}
STATUS_NAMES = {
    "open": _l("waits for a decision"),
    "approved": _l("approved, map changed"),
    "rejected": _l("rejected"),
    "withdrawn": _l("taken back"),
}
APPROVED_IN_WORDS = _l("approved, map unchanged")
FEATURE_NAMES = {"valve": _l("valve"), "pipe": _l("pipe")}
FACT_NAMES = {
    "position": _l("open/closed state"),
    "operability": _l("operability"),
    "reachable": _l("reachable"),
    "turns": _l("turns"),
    "closes": _l("direction of closing"),
    "diameter_mm": _l("nominal diameter"),
    "valve_type": _l("valve type"),
    "material": _l("material"),
}
VALUE_NAMES = {
    "open": _l("open"),
    "closed": _l("closed"),
    "unknown": _l("unknown"),
    "operable": _l("operable"),
    "inoperable": _l("inoperable"),
    "clockwise": _l("clockwise"),
    "anticlockwise": _l("anticlockwise"),
    True: _l("yes"),
    False: _l("no"),
}
WIDTH_PX, HEIGHT_PX = 640.0, 420.0
EDGE_PX = 24.0


class DecisionForm(BaseModel):
    """How a person approves."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    seen: str = ""
    pipe: str = Field(default="", max_length=200)
    valve: str = Field(default="", max_length=100, pattern=r"^[^\x00-\x1f]*$")
    outages: str = Field(default="", max_length=2000)

    def decision(self) -> Decision:
        """Make what the service understands."""
        return Decision(
            seen=int(self.seen) if self.seen.isascii() and self.seen.isdigit() else None,
            pipe=self.pipe or None,
            valve=self.valve or None,
            outages=frozenset(self.outages.split()),
        )


def read_decision(form: Mapping[str, str]) -> Decision:
    """
    Read how a person approves.

    Raises
    ------
    FieldopsError
        If a field is wrong.
    """
    try:
        return DecisionForm.model_validate(dict(form)).decision()
    except ValidationError as error:
        fields = ", ".join(str(one["loc"][0]) for one in error.errors() if one["loc"])
        raise FieldopsError(
            "These fields are missing or wrong: %(fields)s.", fields=fields
        ) from error


@dataclass(frozen=True, slots=True)
class Picture:
    """A plan of some metres of town, in pixels from the left and from above."""

    width: float
    height: float
    pipes: list[tuple[str, str]]
    valves: list[tuple[str, float, float]]
    was: tuple[float, float] | None
    said: tuple[float, float] | None
    ways: list[str]
    scale_m: int
    scale_px: float


class _Plan:
    """From degrees to pixels: north is up, a metre as long in every direction."""

    def __init__(self, spots: Sequence[tuple[float, float]], margin_m: float) -> None:
        west, east = min(lon for lon, _ in spots), max(lon for lon, _ in spots)
        south, north = min(lat for _, lat in spots), max(lat for _, lat in spots)
        self.lon, self.lat = (west + east) / 2, (south + north) / 2
        self.east_m = 111_320.0 * math.cos(math.radians(self.lat))
        wide_m = (east - west) * self.east_m + 2 * margin_m
        high_m = (north - south) * 111_320.0 + 2 * margin_m
        self.px_a_metre = min((WIDTH_PX - 2 * EDGE_PX) / wide_m, (HEIGHT_PX - 2 * EDGE_PX) / high_m)

    def at(self, lon: float, lat: float) -> tuple[float, float]:
        """Give the pixel of a place."""
        x = WIDTH_PX / 2 + (lon - self.lon) * self.east_m * self.px_a_metre
        y = HEIGHT_PX / 2 - (lat - self.lat) * 111_320.0 * self.px_a_metre
        return round(x, 1), round(y, 1)

    def line(self, places: Iterable[tuple[float, float]]) -> str:
        """Give a line as SVG writes it."""
        return " ".join(f"{x},{y}" for x, y in (self.at(*place) for place in places))

    def scale(self) -> tuple[int, float]:
        """Give a round number of metres that is a good tenth of the picture."""
        wanted = WIDTH_PX / 8 / self.px_a_metre
        step = 10 ** math.floor(math.log10(wanted))
        metres = next(n * step for n in (5, 2, 1) if n * step <= wanted)
        return max(1, round(metres)), metres * self.px_a_metre


def draw_look(look: Look) -> Picture | None:
    """Draw where a valve is drawn, where it is said to be, and what lies around."""
    proposal, drawn = look.proposal, look.drawn
    was = None if drawn is None else (drawn.lon, drawn.lat)
    said = None
    if proposal.lon is not None and proposal.lat is not None:
        said = (proposal.lon, proposal.lat)
    spots = [spot for spot in (was, said) if spot is not None]
    if not spots:
        return None
    return draw_plan(spots, 30.0, look.pipes, look.valves, was=was, said=said)


def draw_plan(
    spots: Sequence[tuple[float, float]],
    margin_m: float,
    pipes: Sequence[DrawnPipe],
    valves: Sequence[DrawnValve],
    *,
    was: tuple[float, float] | None = None,
    said: tuple[float, float] | None = None,
    ways: Sequence[Sequence[tuple[float, float]]] = (),
) -> Picture:
    """Draw the spots and so many metres around them, with what is drawn there."""
    plan = _Plan(spots, margin_m)
    scale_m, scale_px = plan.scale()
    return Picture(
        width=WIDTH_PX,
        height=HEIGHT_PX,
        pipes=[(pipe.id, plan.line(pipe.line)) for pipe in pipes],
        valves=[(valve.id, *plan.at(valve.lon, valve.lat)) for valve in valves],
        was=None if was is None else plan.at(*was),
        said=None if said is None else plan.at(*said),
        ways=[plan.line(way) for way in ways],
        scale_m=scale_m,
        scale_px=round(scale_px, 1),
    )


def name_status(proposal: Proposal) -> object:
    """Name how it stands; what was only said in words has changed nothing by being approved."""
    if proposal.status == "approved" and proposal.edit_key is None:
        return APPROVED_IN_WORDS
    return STATUS_NAMES[proposal.status]


def say_facts(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name what a valve or pipe is said to be."""
    return [
        (str(FACT_NAMES.get(name, name)), str(_value_name(value))) for name, value in facts.items()
    ]


def _value_name(value: object) -> object:
    is_named = isinstance(value, (str, bool))
    return VALUE_NAMES.get(value, value) if is_named else value
