"""`fieldops serve`: the database, one web process and one worker, kept alive together."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import replace
from pathlib import Path

import click
from flask_babel import gettext as _

from fieldops.cli import open_sessions
from fieldops.cli.supervision import Supervisor, find_supervisor, stop_supervisor
from fieldops.embedded_postgres import PATIENCE_S, Cluster
from fieldops.errors import FieldopsError
from fieldops.settings import Settings

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--host", help="Address to listen on.  [default: FIELDOPS_HOST, else 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="[default: PORT, else 8000]")
@click.option("--cert", type=FILE, help="Certificate, for https.")
@click.option("--key", type=FILE, help="Private key of the certificate.")
@click.option("--sample", type=FILE, help="A network to import if there is none yet.")
def serve(
    host: str | None, port: int | None, cert: Path | None, key: Path | None, sample: Path | None
) -> None:
    """Serve the application until stopped."""
    if (cert is None) != (key is None):
        raise FieldopsError("--cert and --key go together: give both, or neither")
    settings = Settings.from_environ()
    settings = replace(settings, host=host or settings.host, port=port or settings.port)
    supervisor = find_supervisor(settings.home)
    if supervisor is not None:
        raise FieldopsError(
            "fieldops already serves %(home)s (process %(pid)s): stop it with ./run stop,"
            " or set FIELDOPS_HOME to another folder",
            home=settings.home,
            pid=supervisor,
        )
    refuse_taken_port(settings.host, settings.port)
    # The web process and the worker read the settings from the environment again.
    os.environ.update(
        FIELDOPS_HOME=str(settings.home), FIELDOPS_HOST=settings.host, PORT=str(settings.port)
    )
    with Supervisor(settings, cert, key) as supervised:
        wait_for_database(settings)
        if (settings.is_demo or sample) and prepare(settings, sample):
            supervised.play()
        supervised.run(lambda url: click.echo(_("fieldops serves at %(url)s", url=url)))


@click.command()
def stop() -> None:
    """Stop everything that runs for this home."""
    settings = Settings.from_environ()
    served = stop_supervisor(settings.home)
    stopped = settings.database_url is None and Cluster(settings.home).stop()
    if served or stopped:
        click.echo(_("Stopped."))
    else:
        click.echo(_("Nothing was running for %(home)s.", home=settings.home))


@click.command()
def worker() -> None:
    """Do queued work until stopped; `serve` runs one of these."""
    from fieldops import jobs

    sessions = open_sessions(Settings.from_environ())
    engine = sessions.kw["bind"]
    engine.dispose()
    jobs.run_worker(engine.url.render_as_string(hide_password=False))


def prepare(settings: Settings, sample: Path | None) -> bool:
    """
    Import the sample where there is no network; for the demo, make people, crews and jobs.

    Tells whether crews are to be played: in the demo, and only while nobody real works there.
    """
    from fieldops.accounts.queries import count_real_people
    from fieldops.cli import fieldops
    from fieldops.network import queries

    if settings.is_demo:
        fieldops.main(["accounts", "demo"], standalone_mode=False)
    sessions = open_sessions(settings)
    with sessions() as session:
        is_empty = queries.read_state(session).revision == 0
        is_played = settings.is_demo and not count_real_people(session)
    sessions.kw["bind"].dispose()
    if sample and is_empty:
        fieldops.main(["import", str(sample)], standalone_mode=False)
    if is_played:
        # The day so far first: it places its crews at its own beginning.
        fieldops.main(["simulate", "demo"], standalone_mode=False)
        fieldops.main(["crews", "demo"], standalone_mode=False)
    return is_played


def wait_for_database(settings: Settings) -> None:
    """Bring the database up to date; one of somebody else's may still be starting."""
    from sqlalchemy.exc import OperationalError

    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            open_sessions(settings).kw["bind"].dispose()
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
        else:
            return


def refuse_taken_port(host: str, port: int) -> None:
    """
    Find out early that somebody else listens there.

    Raises
    ------
    FieldopsError
        If the port cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise FieldopsError(
                "Port %(port)s of %(host)s cannot be used (%(reason)s):"
                " set PORT to another, or stop what uses it",
                port=port,
                host=host,
                reason=error.strerror,
            ) from error


commands = [serve, stop, worker]
