"""`fieldops events`: the log of everything that people did."""

from __future__ import annotations

import click
from flask_babel import gettext as _

from fieldops.cli import open_sessions
from fieldops.settings import Settings

EXIT_CODE_OF_BROKEN_CHAIN = 3


@click.group("events")
def events() -> None:
    """Look after the log of everything that people did."""


@events.command()
def verify() -> None:
    """Reckon the chain of hashes again; exit code 3 and the first wrong position if it breaks."""
    from fieldops.events.queries import fetch_chain

    with open_sessions(Settings.from_environ())() as session:
        chain = fetch_chain(session)
    if chain.broken_at is not None:
        click.echo(
            _(
                "The log is broken at position %(position)s of %(head)s: what stands there is"
                " not what was written.",
                position=chain.broken_at,
                head=chain.head,
            ),
            err=True,
        )
        raise SystemExit(EXIT_CODE_OF_BROKEN_CHAIN)
    click.echo(
        _(
            "The log is whole: %(count)s events. Its last hash, to be noted elsewhere: %(hash)s",
            count=chain.count,
            hash=chain.hash.hex() or "-",
        )
    )


commands = [events]
