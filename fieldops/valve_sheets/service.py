"""The valve operation sheet: A4, black and white, to be carried, ticked and signed."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from flask_babel import get_locale
from flask_babel import gettext as _
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    KeepTogether,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

from fieldops.errors import FieldopsError
from fieldops.isolation_plans.service import add_surroundings, box_of, draw_outage
from fieldops.outage_reasons.service import preview_failures
from fieldops.outages.forms import clock, remark_texts

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    from reportlab.pdfgen.canvas import Canvas
    from sqlalchemy.orm import Session

    from fieldops.isolation_plans.service import Drawing, Drawn
    from fieldops.outage_questions.queries import Device
    from fieldops.outage_questions.service import Question
    from fieldops.outage_reasons.service import Failure
    from fieldops.outage_times.service import Moments, ValveStep
    from fieldops.outages.service import OutageAnswer

FONT = "NotoSansSC"
FONT_FILE = Path(__file__).resolve().parents[1] / "static/vendor/NotoSansSC-Regular.ttf"
MARGIN = 13 * mm
WIDTH = A4[0] - 2 * MARGIN
SKETCH_HEIGHT = 90 * mm
LEAST_SKETCH_HEIGHT = 55 * mm
LEGEND_HEIGHT = 9 * mm
DISC = 2.6 * mm
MOST_SCALE = 2.5e6
"""Points a degree: no sketch is larger than about 1 to 130."""
MOST_IN_SKETCH = 4000
PLACE_PROPERTIES = ("location", "chamber", "road")
"""Properties beyond the format that tell a crew where to look; nobody's name or telephone."""
METRES_A_DEGREE = 111_320.0
GREY = colors.Color(0.55, 0.55, 0.55)


def print_sheet(session: Session, question: Question, now: dt.datetime) -> bytes:
    """
    Print the valves of a plan in the order of work, with what it costs if one fails.

    Raises
    ------
    FieldopsError
        If the font with Chinese letters was never fetched.
    """
    _need_font()
    drawing = add_surroundings(
        session, draw_outage(session, question, now, MOST_IN_SKETCH), MOST_IN_SKETCH
    )
    failures = {one.valve: one for one in preview_failures(session, question)}
    return _Sheet(drawing, failures, now).print()


@cache
def _need_font() -> None:
    try:
        pdfmetrics.registerFont(TTFont(FONT, str(FONT_FILE)))
    except (TTFError, OSError) as error:
        raise FieldopsError(
            "The font for Chinese is not at %(file)s: run ./run once to fetch it.", file=FONT_FILE
        ) from error
    # One weight is fetched; bold is drawn by the printer's outline instead.
    pdfmetrics.registerFontFamily(FONT, normal=FONT, bold=FONT, italic=FONT, boldItalic=FONT)


def _style(name: str, size: float, **more: Any) -> ParagraphStyle:  # noqa: ANN401
    wrap = "CJK" if str(get_locale()).startswith("zh") else None
    leading = size * 1.32
    return ParagraphStyle(
        name, fontName=FONT, fontSize=size, leading=leading, wordWrap=wrap, splitLongWords=1, **more
    )


@dataclass(slots=True)
class _Sheet:
    drawing: Drawing
    failures: Mapping[str, Failure]
    now: dt.datetime
    pages: int = 0

    @property
    def answer(self) -> OutageAnswer:
        return self.drawing.answer

    def print(self) -> bytes:
        """Lay the sheet out twice: only then is the number of pages known."""
        self._lay_out()
        return self._lay_out()

    def _lay_out(self) -> bytes:
        file = io.BytesIO()
        document = BaseDocTemplate(
            file,
            pagesize=A4,
            title=_("Valve operation sheet"),
            author="fieldops",
            invariant=1,
            leftMargin=MARGIN,
            rightMargin=MARGIN,
        )
        frame = Frame(MARGIN, 16 * mm, WIDTH, A4[1] - 16 * mm - 22 * mm, 0, 0, 0, 0)
        document.addPageTemplates([PageTemplate(frames=[frame], onPage=self._dress)])
        document.build(list(self._story()))
        self.pages = document.page
        return file.getvalue()

    def _dress(self, canvas: Canvas, _document: BaseDocTemplate) -> None:
        """Write what stands on every page: title, plan and moment, and the number of the page."""
        top = A4[1] - 13 * mm
        canvas.saveState()
        canvas.setFont(FONT, 15)
        canvas.drawString(MARGIN, top, _("Valve operation sheet"))
        canvas.setFont(FONT, 8.5)
        plan = _(
            "Network revision %(revision)s, %(time)s",
            revision=self.answer.network_revision,
            time=clock(self.now, None),
        )
        canvas.drawRightString(A4[0] - MARGIN, top + 1, plan)
        canvas.setLineWidth(1.2)
        canvas.line(MARGIN, top - 3 * mm, A4[0] - MARGIN, top - 3 * mm)
        canvas.setFont(FONT, 8)
        number = canvas.getPageNumber()
        page = _("Page %(number)s of %(count)s", number=number, count=self.pages)
        canvas.drawRightString(A4[0] - MARGIN, 9 * mm, page)
        canvas.drawString(MARGIN, 9 * mm, _("Void as soon as the network has a newer revision."))
        canvas.restoreState()

    def _story(self) -> Iterator[Flowable]:
        yield from self._head()
        yield Spacer(1, 2 * mm)
        yield self._valves() if self.answer.steps else self._line(_("No valve has to be closed."))
        yield Spacer(1, 2.5 * mm)
        yield from self._others()
        box = box_of([one for one in self.drawing.features if one.state not in AROUND])
        if box is not None:
            yield Spacer(1, 2 * mm)
            yield Sketch(self.drawing, box)
            yield self._small(_legend())
        yield from self._remarks()
        yield KeepTogether([Spacer(1, 5 * mm), self._signatures()])

    # ---- what and how much ----

    def _head(self) -> Iterator[Flowable]:
        effect = self.answer.effect
        lost = effect.customers
        yield Paragraph(escape(_what(self.answer)), _style("what", 12))
        if not effect.isolated:
            sources = ", ".join(effect.sources_shut)
            warning = _("NOT isolated by valves alone: shut the source %(ids)s.", ids=sources)
            yield Table(
                [[Paragraph(escape(warning), _style("loud", 10.5))]],
                colWidths=[WIDTH],
                style=[("BOX", (0, 0), (-1, -1), 2, colors.black)],
            )
        people = _("unknown") if lost.people is None else lost.people
        cells = [
            (_("Connections"), lost.connections),
            (_("Properties"), lost.properties),
            (_("Residents"), people),
            (_("Water stopped"), _span(self.answer.water_stopped, self.now)),
            (_("Supply restored"), _span(self.answer.restored, self.now)),
        ]
        label, value = _style("label", 7.5, textColor=colors.Color(0.3, 0.3, 0.3)), _style("v", 10)
        widths = [0.12, 0.12, 0.12, 0.32, 0.32]
        yield Spacer(1, 1.5 * mm)
        yield Table(
            [
                [Paragraph(escape(str(name)), label) for name, _value in cells],
                [Paragraph(escape(str(text)), value) for _name, text in cells],
            ],
            colWidths=[WIDTH * share for share in widths],
            style=[
                ("BOX", (0, 0), (-1, -1), 0.6, colors.black),
                ("LINEAFTER", (0, 0), (-2, -1), 0.3, GREY),
                ("TOPPADDING", (0, 0), (-1, -1), 1.5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
                ("LEFTPADDING", (0, 0), (-1, -1), 4),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ],
        )
        if lost.critical:
            yield self._line(_("Critical customers: %(ids)s", ids=", ".join(lost.critical)))

    # ---- valves ----

    def _valves(self) -> Flowable:
        head = _style("head", 8)
        titles = [
            _("No."),
            _("Valve to close"),
            _("Turns and direction"),
            _("Fixed points"),
            _("If it fails"),
            _("Closed"),
            _("Reopened"),
        ]
        rows: list[list[Any]] = [[Paragraph(escape(str(title)), head) for title in titles]]
        rows += [self._valve(step) for step in self.answer.steps]
        shares = [0.055, 0.2, 0.13, 0.185, 0.2, 0.125, 0.105]
        return Table(
            rows,
            colWidths=[WIDTH * share for share in shares],
            repeatRows=1,
            style=TableStyle(
                [
                    ("GRID", (0, 0), (-1, -1), 0.5, colors.black),
                    ("LINEBELOW", (0, 0), (-1, 0), 1.2, colors.black),
                    ("VALIGN", (0, 0), (-1, -1), "TOP"),
                    ("VALIGN", (0, 1), (0, -1), "MIDDLE"),
                    ("LEFTPADDING", (0, 0), (-1, -1), 3),
                    ("RIGHTPADDING", (0, 0), (-1, -1), 3),
                    ("TOPPADDING", (0, 0), (-1, -1), 2),
                    ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
                ]
            ),
        )

    def _valve(self, step: ValveStep) -> list[Any]:
        device = step.device
        body, small = _style("body", 9), _style("small", 8)
        about = _("about %(time)s", time=clock(step.closed.p50, self.now))
        tick, gap = _("turns ______"), Spacer(1, 0.8 * mm)
        return [
            Disc(step.number),
            [Paragraph(escape(device.id), _style("id", 11)), *_lines(_facts_of(device), small)],
            _lines(_turning(device), body),
            _lines(_fixed_points(device), small),
            _lines(self._if_it_fails(device.id), small),
            [Tick(), gap, *_lines([about, _("at __________"), tick], small)],
            [Tick(), gap, *_lines(["", _("at ________"), tick], small)],
        ]

    def _if_it_fails(self, valve: str) -> list[str]:
        failure = self.failures.get(valve)
        if failure is None:
            return [_("unknown")]
        lines = [
            _("+ valves: %(ids)s", ids=", ".join(failure.more_valves))
            if failure.more_valves
            else _("+ no valve"),
            _(
                "+ %(connections)s connections (%(properties)s properties)",
                connections=failure.more_connections,
                properties=failure.more_properties,
            ),
        ]
        if failure.more_critical:
            lines.append(_("+ critical: %(ids)s", ids=", ".join(failure.more_critical)))
        if not failure.isolated:
            lines.append(_("! then a source must be shut"))
        return lines

    def _others(self) -> Iterator[Flowable]:
        """List what is to be done besides closing valves, with a box to tick for each."""
        effect = self.answer.effect
        tasks = [(_("Shut the source"), one) for one in effect.sources_shut]
        tasks += [(_("Stop the pump"), one) for one in effect.pumps_to_stop]
        tasks += [(_("Verify shut"), one) for one in effect.valves_verify_shut]
        tasks += [(_("Optional, no water behind it"), one) for one in effect.valves_optional]
        if not tasks:
            return
        body = _style("task", 9)
        cells = [[Tick(), Paragraph(escape(f"{what}: {name}"), body)] for what, name in tasks]
        pairs = [[*one, *(other or ["", ""])] for one, other in _in_pairs(cells)]
        yield Table(
            pairs,
            colWidths=[WIDTH * share for share in (0.035, 0.465, 0.035, 0.465)],
            style=[
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 1),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
            ],
        )

    def _remarks(self) -> Iterator[Flowable]:
        if self.answer.remarks:
            yield Spacer(1, 3 * mm)
            yield self._line(_("Remarks:"))
        style = _style("remark", 8, leftIndent=8, bulletIndent=0)
        for said in remark_texts(self.answer.remarks):
            yield Paragraph(escape(said), style, bulletText="–")  # noqa: RUF001

    def _signatures(self) -> Flowable:
        names = [_("Crew leader"), _("Dispatcher"), _("Date and time")]
        small = _style("sign", 8)
        gap = WIDTH * 0.03
        wide = (WIDTH - 2 * gap) / 3
        row = [Paragraph(escape(str(name)), small) for name in names]
        return Table(
            [[row[0], "", row[1], "", row[2]]],
            colWidths=[wide, gap, wide, gap, wide],
            rowHeights=[12 * mm],
            style=[
                *(
                    ("LINEBELOW", (column, 0), (column, 0), 0.7, colors.black)
                    for column in (0, 2, 4)
                ),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ],
        )

    def _line(self, text: str) -> Flowable:
        return Paragraph(escape(text), _style("line", 9.5, spaceBefore=3))

    def _small(self, text: str) -> Flowable:
        return Paragraph(escape(text), _style("legend", 8))


def _in_pairs(cells: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    for at in range(0, len(cells), 2):
        yield cells[at], cells[at + 1] if at + 1 < len(cells) else None


def _lines(texts: Sequence[str], style: ParagraphStyle) -> list[Paragraph]:
    return [Paragraph(escape(text) or "&nbsp;", style) for text in texts]


def _what(answer: OutageAnswer) -> str:
    question = answer.question
    said = [
        _("Pipe %(id)s", id=pipe)
        if at_m is None
        else _("%(pipe)s at %(at_m)s m", pipe=_("Pipe %(id)s", id=pipe), at_m=f"{at_m:g}")
        for pipe, at_m in question.pipes
    ]
    said += [_("Valve %(id)s", id=one) for one in question.valves]
    said += [_("Node %(id)s", id=one) for one in question.nodes]
    said += [_("Hydrant %(id)s", id=one) for one in question.hydrants]
    return str(_("Break: %(what)s", what=", ".join(said)))


def _span(moments: Moments | None, now: dt.datetime) -> str:
    if moments is None:
        return str(_("does not apply: the pipe is closed"))
    first, last = clock(moments.p10, moments.p50), clock(moments.p90, moments.p50)
    return f"{clock(moments.p50, now)} ({first} – {last})"  # noqa: RUF001 - a range


def _facts_of(device: Device) -> list[str]:
    """Tell what the valve is and where to look for it."""
    facts = [device.valve_type or "", f"DN{device.diameter_mm:g}" if device.diameter_mm else ""]
    lines = [" ".join(filter(None, facts))]
    places = [device.extra.get(name) for name in PLACE_PROPERTIES]
    lines += [place for place in places if isinstance(place, str)]
    exercised = device.last_exercised_on or _("never recorded")
    lines.append(_("exercised: %(date)s", date=exercised))
    lines.append(f"{device.lat:.6f}, {device.lon:.6f}")
    return [line for line in lines if line]


def _turning(device: Device) -> list[str]:
    turns = _("%(turns)s turns", turns=f"{device.turns:g}") if device.turns else _("turns unknown")
    ways = {
        "clockwise": _("closes clockwise"),
        "anticlockwise": _("closes anticlockwise"),
    }
    return [turns, ways.get(device.closes or "", _("direction unknown"))]


def _fixed_points(device: Device) -> list[str]:
    """Give the recorded distances to things that stay, as far as they can be read."""
    points = device.extra.get("fixed_points")
    if isinstance(points, str):
        return [points]
    lines = []
    for point in points if isinstance(points, list) else []:
        if not isinstance(point, dict):
            continue
        name, metres = point.get("name"), point.get("distance_m")
        if isinstance(name, str) and isinstance(metres, int | float):
            lines.append(f"{name} {metres:g} m")
    return lines or [_("not recorded")]


def _legend() -> str:
    text = _(
        "Thick: shut. Dashed: cut off. Thin: not affected. Disc: valve to close, in the order of"
        " work. Ring: optional. Bar: verify shut. Cross: cannot be closed. North is up."
    )
    return str(text)


AROUND = ("supplied", "link")


class Tick(Flowable):
    """An empty box to tick."""

    def __init__(self, size: float = 4 * mm) -> None:
        super().__init__()
        self.width = self.height = size

    def draw(self) -> None:
        """Draw the box."""
        self.canv.setLineWidth(0.9)
        self.canv.rect(0, 0, self.width, self.height)


class Disc(Flowable):
    """The number of a valve in its disc."""

    def __init__(self, number: int, radius: float = 3.6 * mm) -> None:
        super().__init__()
        self.number = number
        self.width = self.height = 2 * radius

    def draw(self) -> None:
        """Draw ring and number."""
        draw_disc(self.canv, self.width / 2, self.height / 2, self.width / 2, self.number)


def draw_disc(canvas: Canvas, x: float, y: float, radius: float, number: int) -> None:
    """Draw a number, black on white, in a black ring."""
    canvas.saveState()
    canvas.setLineWidth(1.3)
    canvas.setFillColor(colors.white)
    canvas.setStrokeColor(colors.black)
    canvas.circle(x, y, radius, fill=1)
    canvas.setFillColor(colors.black)
    size = radius * (1.25 if number < 100 else 0.95)
    canvas.setFont(FONT, size)
    canvas.drawCentredString(x, y - size * 0.36, str(number))
    canvas.restoreState()


class Sketch(Flowable):
    """A small map in black, white and grey."""

    def __init__(self, drawing: Drawing, box: tuple[float, float, float, float]) -> None:
        super().__init__()
        self.features = drawing.features
        self.box = box
        west, south, east, north = box
        self.middle = (west + east) / 2, (south + north) / 2
        self.stretch = math.cos(math.radians(self.middle[1]))
        self.discs: list[tuple[float, float]] = []

    def wrap(self, wide: float, high: float) -> tuple[float, float]:
        """Take what is left of the page, within reason."""
        self.width = wide
        left = high - LEGEND_HEIGHT
        self.height = min(left, SKETCH_HEIGHT) if left >= LEAST_SKETCH_HEIGHT else SKETCH_HEIGHT
        west, south, east, north = self.box
        across = max((east - west) * self.stretch, 1e-5) * 1.25
        along = max(north - south, 1e-5) * 1.35
        self.scale = min(self.width / across, self.height / along, MOST_SCALE)
        return self.width, self.height

    def at(self, place: tuple[float, float]) -> tuple[float, float]:
        """Give a place's point on the paper."""
        return (
            self.width / 2 + (place[0] - self.middle[0]) * self.stretch * self.scale,
            self.height / 2 + (place[1] - self.middle[1]) * self.scale,
        )

    def draw(self) -> None:
        """Draw pipes, then marks, inside a frame."""
        canvas = self.canv
        self.discs.clear()
        canvas.saveState()
        frame = canvas.beginPath()
        frame.rect(0, 0, self.width, self.height)
        canvas.clipPath(frame, stroke=0)
        for state, width, dash, colour in LINES:
            canvas.setStrokeColor(colour)
            canvas.setLineWidth(width)
            canvas.setDash(*dash)
            for one in self.features:
                if one.state == state and len(one.line) > 1:
                    self._line(canvas, one)
        canvas.setDash()
        canvas.setStrokeColor(colors.black)
        for one in sorted(self.features, key=lambda one: one.facts.get("number", 0)):
            if one.kind in MARKED and one.state in MARKS:
                self._mark(canvas, one)
        self._scale_bar(canvas)
        canvas.restoreState()
        canvas.setLineWidth(0.6)
        canvas.rect(0, 0, self.width, self.height)

    def _line(self, canvas: Canvas, one: Drawn) -> None:
        path = canvas.beginPath()
        path.moveTo(*self.at(one.line[0]))
        for place in one.line[1:]:
            path.lineTo(*self.at(place))
        canvas.drawPath(path)

    def _mark(self, canvas: Canvas, one: Drawn) -> None:
        x, y = self.at(one.line[0])
        canvas.setFillColor(colors.white)
        canvas.setLineWidth(1)
        if one.state == "to_close":
            beside = self._free_place(x, y)
            canvas.line(x, y, *beside)
            draw_disc(canvas, *beside, DISC, one.facts["number"])
        elif one.state == "optional":
            canvas.circle(x, y, 1.6 * mm, fill=1)
        elif one.state == "verify_shut":
            canvas.setFillColor(colors.black)
            canvas.rect(x - 2 * mm, y - 0.7 * mm, 4 * mm, 1.4 * mm, fill=1)
        elif one.state == "stuck":
            canvas.setLineWidth(1.6)
            for sign in (-1, 1):
                canvas.line(x - 1.6 * mm, y - sign * 1.6 * mm, x + 1.6 * mm, y + sign * 1.6 * mm)
        else:
            canvas.rect(x - 1.6 * mm, y - 1.6 * mm, 3.2 * mm, 3.2 * mm, fill=1)
            canvas.setFillColor(colors.black)
            canvas.setFont(FONT, 7)
            canvas.drawCentredString(x, y - 2.4, "P" if one.kind == "pump" else "S")

    def _free_place(self, x: float, y: float) -> tuple[float, float]:
        """Find a place for a disc, at its valve or as near to it as no other disc lies."""
        tries = [(x, y)] + [
            (x + away * DISC * math.cos(turn), y + away * DISC * math.sin(turn))
            for away in (2.2, 3.2, 4.4)
            for turn in (math.tau * step / 12 for step in range(12))
        ]
        free = (
            one for one in tries if all(math.dist(one, other) > 2 * DISC for other in self.discs)
        )
        place = next(free, (x, y))
        self.discs.append(place)
        return place

    def _scale_bar(self, canvas: Canvas) -> None:
        per_m = self.scale / METRES_A_DEGREE
        most = self.width * 0.25 / per_m
        power = 10.0 ** math.floor(math.log10(most))
        metres = next(step * power for step in (5, 2, 1) if step * power <= most)
        canvas.setFillColor(colors.white)
        canvas.rect(2 * mm, 2 * mm, metres * per_m + 4 * mm, 6.5 * mm, fill=1, stroke=0)
        canvas.setFillColor(colors.black)
        canvas.setLineWidth(1.2)
        canvas.line(4 * mm, 3.2 * mm, 4 * mm + metres * per_m, 3.2 * mm)
        canvas.setFont(FONT, 7.5)
        canvas.drawString(4 * mm, 4.4 * mm, f"{metres:g} m")
        x, y = self.width - 6 * mm, self.height - 10 * mm
        canvas.setLineWidth(1)
        canvas.line(x, y, x, y + 6 * mm)
        for side in (-1, 1):
            canvas.line(x, y + 6 * mm, x + side * 1.3 * mm, y + 3.8 * mm)
        canvas.drawCentredString(x, y - 2.8 * mm, _("N"))


MARKED = ("valve", "control_valve", "pump", "source")
MARKS = ("to_close", "optional", "verify_shut", "stuck", "stop", "shut")
LINES: tuple[tuple[str, float, tuple[Any, ...], Any], ...] = (
    ("link", 0.7, (), GREY),
    ("supplied", 0.7, (), GREY),
    ("cut_off", 1.8, ([5, 3],), colors.black),
    ("shut", 3.2, (), colors.black),
)
