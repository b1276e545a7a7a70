"""`fieldops outage` and `fieldops weak-spots`: who loses supply, and what would hurt most."""

from __future__ import annotations

import datetime as dt
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from flask_babel import gettext
from flask_babel import gettext as _

from fieldops.cli import open_sessions
from fieldops.errors import FieldopsError
from fieldops.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy.orm import Session

    from fieldops.outage_questions.service import Question
    from fieldops.outage_times.service import Moments
    from fieldops.outages.service import OutageAnswer

EXIT_CODE_OF_FAULTS = 2
MOST_NAMED = 12
FROM_STDIN = ("-",)


@click.command()
@click.option("--pipe", "pipes", multiple=True, help="Broken pipe; - reads ids from stdin.")
@click.option("--at-m", "at_m", type=float, multiple=True, help="Metres along --pipe.")
@click.option("--valve", "valves", multiple=True, help="Broken valve.")
@click.option("--node", "nodes", multiple=True, help="Broken node.")
@click.option("--hydrant", "hydrants", multiple=True, help="Broken hydrant.")
@click.option("--inoperable", multiple=True, help="Valve that cannot be worked.")
@click.option("--unreachable", multiple=True, help="Valve that cannot be reached.")
@click.option("--close", "closed", multiple=True, help="Valve that is closed besides.")
@click.option("--open", "opened", multiple=True, help="Valve that is open, whatever is recorded.")
@click.option("--customers", is_flag=True, help="Name the customers, by id.")
@click.option("--intervals", is_flag=True, help="Give every customer's own times.")
@click.option(
    "--format", "form", type=click.Choice(["json", "text", "geojson"]), help="[default: text]"
)
@click.option("--plan", type=click.Path(dir_okay=False, path_type=Path), help="Write a map file.")
@click.option("--sheet", type=click.Path(dir_okay=False, path_type=Path), help="Write a PDF.")
def outage(**options: Any) -> None:  # noqa: ANN401 - what click gives
    """Tell who loses supply if something breaks, and which valves to close."""
    from fieldops.outage_questions.service import Question

    question = Question(
        pipes=_pair(options["pipes"], options["at_m"]),
        valves=options["valves"],
        nodes=options["nodes"],
        hydrants=options["hydrants"],
        inoperable=options["inoperable"],
        unreachable=options["unreachable"],
        closed=options["closed"],
        opened=options["opened"],
        with_customers=options["customers"],
        with_intervals=options["intervals"],
    )
    sessions = open_sessions(Settings.from_environ())
    now = dt.datetime.now(dt.UTC)
    if options["pipes"] == FROM_STDIN:
        if options["plan"] or options["sheet"]:
            raise FieldopsError("--plan and --sheet make one file for one break, not for --pipe -.")
        with sessions.begin() as session:
            is_whole = _answer_lines(session, question, options["form"] or "json", now)
        if not is_whole:
            raise SystemExit(EXIT_CODE_OF_FAULTS)
        return
    with sessions.begin() as session:
        click.echo(_answer(session, question, options["form"] or "text", now))
        if options["plan"]:
            from fieldops.isolation_plans.service import draw_plan

            _write(options["plan"], draw_plan(session, question, now).encode())
        if options["sheet"]:
            from fieldops.valve_sheets.service import print_sheet

            _write(options["sheet"], print_sheet(session, question, now))


def _pair(pipes: Sequence[str], at_m: Sequence[float]) -> list[tuple[str, float | None]]:
    """Give each pipe the place that was named for it."""
    if at_m and len(at_m) != len(pipes):
        raise FieldopsError("Give --at-m once for each --pipe, or not at all.")
    places: list[float | None] = list(at_m) or [None] * len(pipes)
    return list(zip(pipes, places, strict=True))


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise FieldopsError(
            "%(file)s cannot be written: %(reason)s.", file=path, reason=error.strerror
        ) from error
    click.echo(_("Wrote %(file)s.", file=path), err=True)


def _answer_lines(session: Session, question: Question, form: str, now: dt.datetime) -> bool:
    """Answer every id on standard input by a line of its own; tell whether all were answered."""
    is_whole = True
    at_m = question.pipes[0][1]
    for pipe in _lines():
        try:
            line = _answer(session, replace(question, pipes=[(pipe, at_m)]), form, now)
        except FieldopsError as error:
            is_whole = False
            line = _dump({"pipe": pipe, "error": gettext(error.msgid, **error.params)})
        click.echo(line)
    return is_whole


def _lines() -> Iterator[str]:
    for raw in sys.stdin.buffer:
        line = raw.decode(errors="replace").rstrip("\r\n")
        if line:
            yield line


def _answer(session: Session, question: Question, form: str, now: dt.datetime) -> str:
    from fieldops.outages.forms import as_json
    from fieldops.outages.service import preview_outage

    if form == "geojson":
        from fieldops.isolation_plans.service import as_geojson, draw_outage

        return _dump(as_geojson(draw_outage(session, question, now)))
    answer = preview_outage(session, question, now)
    if form == "json":
        return _dump(as_json(answer))
    return "\n".join(_as_text(answer, now))


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _as_text(answer: OutageAnswer, now: dt.datetime) -> Iterator[str]:
    """Say an answer to a dispatcher."""
    yield _say_break(answer)
    yield _(
        "Network revision %(revision)s, %(time)s",
        revision=answer.network_revision,
        time=_clock(now),
    )
    yield ""
    yield from _say_valves(answer)
    yield ""
    yield from _say_customers(answer)
    yield ""
    yield _("Water stopped: %(times)s", times=_say_moments(answer.water_stopped))
    yield _("Supply restored: %(times)s", times=_say_moments(answer.restored))
    yield from _say_remarks(answer)


def _say_break(answer: OutageAnswer) -> str:
    question = answer.question
    places = [
        pipe if at_m is None else _("%(pipe)s at %(at_m)s m", pipe=pipe, at_m=f"{at_m:g}")
        for pipe, at_m in question.pipes
    ]
    said = []
    if places:
        said.append(_("Break on pipe %(ids)s", ids=_join(places)))
    if question.valves:
        said.append(_("Break on valve %(ids)s", ids=_join(question.valves)))
    if question.nodes:
        said.append(_("Break on node %(ids)s", ids=_join(question.nodes)))
    if question.hydrants:
        said.append(_("Break on hydrant %(ids)s", ids=_join(question.hydrants)))
    if question.closed:
        said.append(_("Closed besides: %(ids)s", ids=_join(question.closed)))
    if question.opened:
        said.append(_("Taken as open: %(ids)s", ids=_join(question.opened)))
    return "; ".join(said)


def _say_valves(answer: OutageAnswer) -> Iterator[str]:
    effect = answer.effect
    if not effect.isolated:
        yield _(
            "NOT isolated by valves alone: shut the source %(ids)s.", ids=_join(effect.sources_shut)
        )
    if answer.steps:
        yield _("Close %(count)s valves, in this order:", count=len(answer.steps))
    else:
        yield _("No valve has to be closed.")
    for step in answer.steps:
        device = step.device
        facts = [f"DN{device.diameter_mm:g}"] if device.diameter_mm else []
        if device.turns:
            facts.append(_("%(turns)s turns", turns=f"{device.turns:g}"))
        if device.closes == "clockwise":
            facts.append(_("closes clockwise"))
        elif device.closes == "anticlockwise":
            facts.append(_("closes anticlockwise"))
        closed = _clock(step.closed.p50, answer.steps[-1].closed.p50)
        facts.append(_("closed about %(time)s", time=closed))
        yield f"  {step.number:>3}  {device.id}  {', '.join(facts)}"
    if effect.pumps_to_stop:
        yield _("Stop pumps: %(ids)s", ids=_join(effect.pumps_to_stop))
    if effect.valves_verify_shut:
        yield _("Verify shut: %(ids)s", ids=_join(effect.valves_verify_shut))
    if effect.valves_optional:
        yield _("Optional, no water behind them: %(ids)s", ids=_join(effect.valves_optional))


def _say_customers(answer: OutageAnswer) -> Iterator[str]:
    effect, lost = answer.effect, answer.effect.customers
    people = _("unknown") if lost.people is None else lost.people
    yield _(
        "Without water: %(connections)s connections, %(properties)s properties, people: %(people)s",
        connections=lost.connections,
        properties=lost.properties,
        people=people,
    )
    if lost.critical:
        yield _("Critical customers: %(ids)s", ids=_join(lost.critical))
    if lost.shut is not None:
        yield _("Shut: %(ids)s", ids=_join(lost.shut) or "-")
    if lost.cut_off is not None:
        yield _("Cut off: %(ids)s", ids=_join(lost.cut_off) or "-")
    if lost.already_dry:
        yield _("Already dry before: %(count)s connections", count=lost.already_dry)
    yield _("Pipes shut: %(ids)s", ids=_some(effect.pipes_shut))
    if effect.pipes_cut_off is None:
        yield _("Pipes cut off: unknown, no source is recorded")
    elif effect.pipes_cut_off:
        yield _("Pipes cut off: %(ids)s", ids=_some(effect.pipes_cut_off))
    if effect.hydrants_dry:
        yield _("Hydrants dry: %(ids)s", ids=_some(effect.hydrants_dry))
    for one in effect.refeed or ():
        yield _(
            "Re-feed: opening %(valve)s gives %(count)s properties their water back",
            valve=one.valve,
            count=one.properties_regained,
        )
    if answer.if_unknown_closed is not None:
        other = answer.if_unknown_closed
        yield _(
            "If all valves of unknown position are closed: close %(valves)s; %(properties)s"
            " properties without water; %(count)s customers differ",
            valves=_join(other.valves_to_close) or "-",
            properties=other.customers.properties,
            count=len(answer.customers_differ),
        )


def _say_remarks(answer: OutageAnswer) -> Iterator[str]:
    from fieldops.outages.forms import remark_texts

    if answer.remarks:
        yield ""
        yield _("Remarks:")
    for said in remark_texts(answer.remarks):
        yield f"  - {said}"


def _say_moments(moments: Moments | None) -> str:
    if moments is None:
        return str(_("does not apply: the pipe is closed"))
    said = _(
        "about %(p50)s (from %(p10)s to %(p90)s)",
        p50=_clock(moments.p50),
        p10=_clock(moments.p10, moments.p50),
        p90=_clock(moments.p90, moments.p50),
    )
    return str(said)


def _clock(moment: dt.datetime, beside: dt.datetime | None = None) -> str:
    from fieldops.outages.forms import clock

    return clock(moment, beside)


def _join(ids: Iterable[str]) -> str:
    return ", ".join(ids)


def _some(ids: Sequence[str]) -> str:
    """Name a dozen at most: the whole list is for --format json."""
    if len(ids) <= MOST_NAMED:
        return _join(ids) or "-"
    names = _join(ids[:MOST_NAMED])
    return str(_("%(ids)s and %(count)s more", ids=names, count=len(ids) - MOST_NAMED))


@click.command("weak-spots")
@click.option("--by", type=click.Choice(["segment", "valve", "pipe"]), required=True)
@click.option("--top", type=click.IntRange(min=1), help="Only so many, the worst first.")
@click.option(
    "--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True
)
def weak_spots(by: str, top: int | None, form: str) -> None:
    """List what would hurt most if it failed, the worst first."""
    from fieldops.planning.service import WEAK_SPOTS
    from gis.formats.csv import csv_lines

    sessions = open_sessions(Settings.from_environ())
    with sessions.begin() as session:
        rows = WEAK_SPOTS[by](session)[:top]
    for row in rows:
        if by == "pipe" and row["why"] is None:
            row["why"] = _("No breaks are recorded, so the rate of breaks is unknown.")
    if by != "valve":
        click.echo(
            _("No breaks are recorded, so breaks and customer-minutes a year are unknown."),
            err=True,
        )
    if form == "json":
        click.echo(json.dumps(rows, ensure_ascii=False, allow_nan=False))
        return
    header = WEAK_SPOTS_COLUMNS[by]
    cells = [[_cell(row[name]) for name in header] for row in rows]
    for line in csv_lines(header, cells):
        click.echo(line, nl=False)


WEAK_SPOTS_COLUMNS = {
    "segment": (
        "segment",
        "pipes",
        "valves",
        "length_m",
        "properties_shut",
        "properties_cut_off",
        "properties_lost",
        "critical_lost",
        "breaks_per_year",
        "customer_minutes_per_year",
    ),
    "valve": ("valve", "properties_lost_if_it_fails", "extra", "exercise_rank"),
    "pipe": (
        "pipe",
        "breaks_per_year",
        "p10",
        "p90",
        "why",
        "properties_lost",
        "customer_minutes_per_year",
    ),
}


def _cell(value: object) -> object:
    return ";".join(value) if isinstance(value, list) else value


commands = [outage, weak_spots]
