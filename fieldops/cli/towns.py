"""`fieldops make-town`: an invented town as a network file."""

from __future__ import annotations

from pathlib import Path

import click
from flask_babel import gettext as _

from fieldops.errors import FieldopsError


@click.command("make-town")
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@click.option("--pipes", type=int, default=400, show_default=True, help="Number of pipes.")
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same town.")
@click.option("--customers", type=int, help="Number of connections.")
def make_town(file: Path, pipes: int, seed: int, customers: int | None) -> None:
    """Invent a town and write it to FILE as GeoJSON."""
    from gis import towns

    if pipes < towns.FEWEST_PIPES:
        raise FieldopsError(
            "A town needs at least %(least)s pipes; --pipes is %(pipes)s.",
            least=towns.FEWEST_PIPES,
            pipes=pipes,
        )
    if seed < 0 or (customers is not None and customers < 100):
        raise FieldopsError("--seed must not be negative, and --customers must be at least 100.")
    town = towns.make_town(pipes, seed, customers)
    try:
        with file.open("w", encoding="utf-8", newline="\n") as stream:
            stream.writelines(f"{line}\n" for line in towns.feature_lines(town))
    except OSError as error:
        raise FieldopsError(
            "%(file)s cannot be written: %(reason)s.", file=file, reason=error.strerror
        ) from error
    click.echo(_("Wrote a town of %(pipes)s pipes to %(file)s.", pipes=pipes, file=file), err=True)


commands = [make_town]
