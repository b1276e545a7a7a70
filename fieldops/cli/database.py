"""`fieldops db`: the private database."""

from __future__ import annotations

import click
from flask_babel import gettext as _

from fieldops import db
from fieldops.cli import open_sessions
from fieldops.embedded_postgres import Cluster
from fieldops.errors import FieldopsError
from fieldops.migrations import current_revision, newest_revision
from fieldops.settings import Settings

EXIT_CODE_OF_STOPPED = 3


def _cluster(settings: Settings) -> Cluster:
    if settings.database_url is not None:
        raise FieldopsError(
            "FIELDOPS_DATABASE_URL is set, so there is no private database to start or stop:"
            " unset it, or manage that database yourself"
        )
    return Cluster(settings.home)


@click.group("db")
def database() -> None:
    """Start, stop, look at or migrate the private database."""


@database.command()
def start() -> None:
    """Start the private database, making it the first time."""
    cluster = _cluster(Settings.from_environ())
    cluster.start()
    click.echo(_("The database runs; its data lie in %(folder)s.", folder=cluster.data))


@database.command()
def stop() -> None:
    """Stop the private database."""
    cluster = _cluster(Settings.from_environ())
    if cluster.stop():
        click.echo(_("The database is stopped."))
    else:
        click.echo(_("The database was not running."))


@database.command()
def status() -> None:
    """Tell whether the database runs, where it lies and at which revision; exit code 3 if not."""
    settings = Settings.from_environ()
    if settings.database_url is None:
        cluster = Cluster(settings.home)
        if not cluster.is_running():
            click.echo(_("The database does not run; it starts when a command needs it."))
            raise SystemExit(EXIT_CODE_OF_STOPPED)
        click.echo(_("The database runs; its data lie in %(folder)s.", folder=cluster.data))
    engine = db.make_engine(settings.database_url or cluster.url())
    with engine.connect() as connection:
        click.echo(
            _(
                "Revision %(revision)s of %(newest)s.",
                revision=current_revision(connection) or "-",
                newest=newest_revision(),
            )
        )
    engine.dispose()


@database.command("migrate")
def bring_up_to_date() -> None:
    """Bring the database to this program's revision."""
    sessions = open_sessions(Settings.from_environ())
    with sessions() as session:
        revision = current_revision(session.connection())
    click.echo(_("The database stands at revision %(revision)s.", revision=revision))


commands = [database]
