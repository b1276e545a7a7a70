"""`fieldops tiles`: the far views of the map, made ahead of time."""

from __future__ import annotations

import click
from flask_babel import gettext as _

from fieldops.cli import open_sessions
from fieldops.settings import Settings


@click.group()
def tiles() -> None:
    """Make the far views of the map and the words of its search."""


@tiles.command("bake")
def bake_tiles() -> None:
    """Make them now, rather than when somebody first opens the map."""
    from fieldops.maps.service import bake, tiles_folder

    settings = Settings.from_environ()
    with open_sessions(settings).begin() as session:
        baked = bake(session, tiles_folder(settings))
    if baked is None:
        click.echo(_("Another process is making them just now."), err=True)
    elif baked.exists():
        click.echo(
            _("The far views lie in %(file)s.", file=baked),
        )
    else:
        click.echo(_("There is no network to draw yet."))


commands = [tiles]
