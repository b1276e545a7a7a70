"""The `fieldops` command; a module a topic, each with its list of `commands`."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click
from flask import Flask
from flask_babel import gettext

from fieldops import db, language
from fieldops.embedded_postgres import Cluster
from fieldops.errors import FieldopsError
from fieldops.migrations import migrate

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from fieldops.settings import Settings

TOPICS = (
    "database",
    "serve",
    "accounts",
    "network",
    "outages",
    "maps",
    "towns",
    "events",
    "crews",
    "simulate",
)
EXIT_CODE_OF_FAULTS = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def fieldops() -> None:
    """Keep a water network running: who loses supply, and which valves to close."""


def main(arguments: list[str] | None = None) -> None:
    """Run a command; a fault in what was asked is one translated sentence and exit code 2."""
    with speaking().app_context():
        try:
            fieldops.main(arguments, prog_name="fieldops", standalone_mode=False)
        except FieldopsError as error:
            _fail(gettext(error.msgid, **error.params), EXIT_CODE_OF_FAULTS)
        except click.ClickException as error:
            error.show()
            sys.exit(EXIT_CODE_OF_FAULTS)
        except (click.Abort, KeyboardInterrupt):
            _fail(gettext("Stopped."), 130)
        except BrokenPipeError:
            # Whoever read our output has seen enough, as `head` does.
            sys.stderr.close()
            sys.exit(141)
        except Exception as error:  # noqa: BLE001 - a traceback helps nobody on call
            _fail(describe_unexpected(error), 1)


def speaking() -> Flask:
    """Make the little of an app that translation needs."""
    app = Flask("fieldops")
    language.compile_catalogues()
    language.init_app(app)
    return app


def open_sessions(settings: Settings) -> sessionmaker[Session]:
    """Give sessions on a database that is up to date, starting the private one if need be."""
    url = settings.database_url
    if url is None:
        cluster = Cluster(settings.home)
        cluster.start()
        url = cluster.url()
    sessions = db.make_sessions(url)
    context = click.get_current_context(silent=True)
    if context is not None:
        context.call_on_close(sessions.kw["bind"].dispose)
    migrate(sessions.kw["bind"])
    return sessions


def describe_unexpected(error: Exception) -> str:
    """Say what went wrong without a traceback; FIELDOPS_TRACEBACK=1 shows that too."""
    import os
    import traceback

    from sqlalchemy.exc import OperationalError

    if os.environ.get("FIELDOPS_TRACEBACK") == "1":
        traceback.print_exception(error)
    if isinstance(error, OperationalError):
        reason = str(error.orig).splitlines()[0]
        return str(gettext("The database cannot be reached: %(reason)s", reason=reason))
    return str(
        gettext(
            "An error in fieldops itself: %(kind)s: %(reason)s."
            " Set FIELDOPS_TRACEBACK=1 to see where.",
            kind=type(error).__name__,
            reason=error,
        )
    )


def _fail(message: str, code: int) -> None:
    click.echo(message, err=True)
    sys.exit(code)


for topic in TOPICS:
    if find_spec(f"fieldops.cli.{topic}"):
        for command in import_module(f"fieldops.cli.{topic}").commands:
            fieldops.add_command(command)
