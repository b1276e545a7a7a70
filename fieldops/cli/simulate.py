"""`fieldops simulate`: a day played through the real services, for training and for the demo."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click
from flask_babel import gettext as _

from fieldops.cli import open_sessions
from fieldops.errors import ConflictError
from fieldops.language import TIMEZONE
from fieldops.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from fieldops.simulation.service import Summary


@click.group("simulate")
def simulate() -> None:
    """Play a day through the real services: never where real people work."""


@simulate.command("burst-day")
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same day.")
@click.option("--hours", type=click.FloatRange(0.1, 24 * 14), default=24.0, show_default=True)
@click.option(
    "--jobs-per-hour", type=click.FloatRange(0.1, 100), default=4.0, show_default=True,
    help="On average of a day; 2.8 times as many from 8 to 12.",
)  # fmt: skip
@click.option("--speed", type=click.FloatRange(min=0.01), help="So many times faster than real.")
@click.option(
    "--as-fast-as-possible", is_flag=True, expose_value=False, help="Do not wait.  [default]"
)
@click.option("--start", type=click.DateTime(), help="Local time.  [default: so that it ends now]")
@click.option("--drill", is_flag=True, help="Mark all of it as a drill.")
@click.option("--no-dispatcher", is_flag=True, help="Leave sending the crews to whoever trains.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def burst_day(
    seed: int, hours: float, jobs_per_hour: float, speed: float | None, start: dt.datetime | None,
    form: str, *, drill: bool, no_dispatcher: bool,
) -> None:  # fmt: skip
    """Play a day of bursts, leaks and other work."""
    from fieldops.simulation.service import Player, Wish

    wish = Wish(
        seed=seed,
        start=_find_start(start, hours, speed),
        hours=hours,
        jobs_per_hour=jobs_per_hour,
    )
    sessions = open_sessions(Settings.from_environ())
    refuse_among_people(sessions)
    player = Player(
        sessions, wish, is_drill=drill, speed=speed, has_dispatcher=not no_dispatcher, tell=_say
    )
    summary = player.run()
    if form == "json":
        click.echo(json.dumps(asdict(summary), ensure_ascii=False))
    else:
        _say_summary(summary)


@simulate.command("demo")
def demo() -> None:
    """Put a few incidents under way, if nothing was ever reported here."""
    from fieldops.cli.crews import make_demo_crews
    from fieldops.crews.service import list_crews
    from fieldops.simulation.service import DEMO_HOURS, is_untouched, play_demo

    sessions = open_sessions(Settings.from_environ())
    refuse_among_people(sessions)
    now = dt.datetime.now(dt.UTC)
    with sessions.begin() as session:
        if is_untouched(session) and not list_crews(session, now):
            # They stand at their depots when the first call comes.
            make_demo_crews(session, now - dt.timedelta(hours=DEMO_HOURS))
    summary = play_demo(sessions, now, _say_nothing)
    if summary is None:
        click.echo(_("Something was reported here before: nothing is invented."), err=True)
        return
    click.echo(
        _("Under way for the demo: %(jobs)s work orders of %(count)s incidents.",
          jobs=summary.jobs - summary.closed, count=summary.happenings),
        err=True,
    )  # fmt: skip


@simulate.command("crews")
@click.option("--seed", type=int, default=7, show_default=True)
@click.option("--hours", type=click.FloatRange(0.01, 24 * 14), default=12.0, show_default=True)
def play_crews(seed: int, hours: float) -> None:
    """Let the crews of the demo go on in real time: they do what a visitor sends them to."""
    from fieldops.simulation.service import play_on

    sessions = open_sessions(Settings.from_environ())
    refuse_among_people(sessions)
    play_on(sessions, dt.datetime.now(dt.UTC), hours, seed)


def refuse_among_people(sessions: sessionmaker[Session]) -> None:
    """
    Keep invented calls and crews out of the records of people who work here.

    Not even a drill may: its crews would take up what is real, and stand where nobody is.

    Raises
    ------
    ConflictError
        If there is anybody but those of the demo.
    """
    from fieldops.accounts.queries import count_real_people

    with sessions() as session:
        count = count_real_people(session)
    if count:
        raise ConflictError(
            "%(count)s people work with this database, and a played day would stand among their"
            " own for ever: play it elsewhere, with FIELDOPS_HOME set to another folder",
            count=count,
        )


def _find_start(start: dt.datetime | None, hours: float, speed: float | None) -> dt.datetime:
    """Begin when told to; else so that what is played as fast as can be ends about now."""
    if start is not None:
        return start.replace(tzinfo=ZoneInfo(TIMEZONE)).astimezone(dt.UTC)
    now = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)
    return now if speed is not None else now - dt.timedelta(hours=hours)


def _say_nothing(_what: str, _values: dict[str, object]) -> None:
    """Keep quiet."""


def _say(what: str, values: dict[str, object]) -> None:
    """Print what happens, a line each."""
    from fieldops.incidents.forms import name_kind

    at = values["at"]
    values = values | {"kind": name_kind(str(values.get("kind", "")))}
    clock = (
        at.astimezone(ZoneInfo(TIMEZONE)).strftime("%H:%M") if isinstance(at, dt.datetime) else ""
    )
    texts = {
        "report": _("report %(id)s (%(kind)s)", **values) if what == "report" else "",
        "incident": _("incident %(id)s (%(kind)s)", **values) if what == "incident" else "",
        "outage": _("outage %(id)s, %(connections)s connections", **values)
        if what == "outage"
        else "",
        "sent": _("%(crew)s sent to %(order)s", **values) if what == "sent" else "",
    }
    click.echo(f"{clock} {texts[what]}", err=True)


def _say_summary(summary: Summary) -> None:
    def minutes(value: float | None) -> str:
        return "-" if value is None else f"{value:.1f}"

    click.echo(
        _("%(count)s things happened, %(reports)s reports, %(jobs)s work orders, %(closed)s closed",
          count=summary.happenings, reports=summary.reports, jobs=summary.jobs,
          closed=summary.closed)
    )  # fmt: skip
    click.echo(
        _("Arrival at bursts: %(mean)s min on average, P95 %(p95)s min",
          mean=minutes(summary.burst_arrival_mean_min), p95=minutes(summary.burst_arrival_p95_min))
    )  # fmt: skip
    click.echo(
        _("Customer-minutes without water: %(minutes)s", minutes=f"{summary.customer_minutes:.0f}")
    )
    click.echo(_("Missed limits of arrival: %(count)s", count=summary.missed_limits))
    if summary.refused:
        click.echo(
            _(
                "Refused steps: %(count)s, e.g. %(first)s",
                count=len(summary.refused),
                first=summary.refused[0],
            )
        )


commands = [simulate]
