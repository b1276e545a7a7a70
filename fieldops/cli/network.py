"""`fieldops import`, `export` and `info`: the network in and out, and what there is of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from flask_babel import gettext as _

from fieldops.cli import open_sessions
from fieldops.errors import FieldopsError
from fieldops.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from fieldops.network_files.service import ImportReport
    from gis.features import FeatureSet

LISTED_IN_TEXT = 20
FORMATS = click.Choice(["text", "json"])


class Bar:
    """A progress bar on stderr, where that is a terminal; else nothing."""

    def __init__(self) -> None:
        self.is_on = sys.stderr.isatty()

    def __call__(self, step: str, share: float) -> None:
        """Show how far a step is."""
        if not self.is_on:
            return
        names = {
            "reading": _("Reading"),
            "placing": _("Placing"),
            "staging": _("Copying"),
            "merging": _("Merging"),
            "indexing": _("Indexing"),
            "writing": _("Writing"),
        }
        full = int(30 * share)
        bar = "#" * full + "." * (30 - full)
        click.echo(f"\r{names[step]:<10} [{bar}] {share:4.0%}", err=True, nl=share >= 1)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--crs", help="Coordinate system of the file, as EPSG:n, where it is not WGS84.")
@click.option("--snap-m", type=float, default=0.5, show_default=True, help="Ends this near join.")
@click.option("--replace", is_flag=True, help="Delete whatever the file does not have.")
@click.option("--dry-run", is_flag=True, help="Report only; change nothing.")
@click.option(
    "--valves",
    type=click.Choice(["none", "ends"]),
    default="none",
    show_default=True,
    help="For files without isolation valves: assume one at both ends of every pipe.",
)
@click.option("--format", "format_", type=FORMATS, default="text", show_default=True)
@click.option(
    "--report",
    "report_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the findings as a GeoJSON layer to this file.",
)
def import_(
    *,
    file: Path,
    crs: str | None,
    snap_m: float,
    replace: bool,
    dry_run: bool,
    valves: Any,  # noqa: ANN401
    format_: str,
    report_file: Path | None,
) -> None:
    """Bring the network of FILE into the database, whole or not at all."""
    from fieldops.network_files import service
    from gis import formats

    if not 0 <= snap_m <= 100:
        raise FieldopsError(
            "--snap-m must be from 0 to 100 metres; it is %(snap_m)s.", snap_m=snap_m
        )
    bar = Bar()
    try:
        features = formats.read(
            file, crs, valves, lambda done, of: bar("reading", done / of if of else 1.0)
        )
        report = _land(
            open_sessions(Settings.from_environ()),
            features,
            bar,
            snap_m=snap_m,
            is_replacing=replace,
            is_dry_run=dry_run,
        )
    except formats.FormatError as error:
        report = service.refused(error).report
    except service.RefusedError as error:
        report = error.report
    data = report.as_json(lambda msgid: str(_(msgid)))
    if report_file is not None:
        layer = service.as_layer(data["findings"])
        report_file.write_text(json.dumps(layer, ensure_ascii=False), encoding="utf-8")
    if format_ == "json":
        click.echo(json.dumps(data, ensure_ascii=False, indent=1))
    if format_ == "text" or report.is_refused:
        for line in _lines(data, is_dry_run=dry_run):
            click.echo(line, err=format_ == "json")
    if report.is_refused:
        raise SystemExit(2)


def _land(
    sessions: sessionmaker[Session],
    features: FeatureSet,
    bar: Bar,
    **options: Any,  # noqa: ANN401
) -> ImportReport:
    import getpass

    from fieldops.network_files import queries, service

    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "?"
    with queries.careful(), sessions.begin() as session:
        queries.isolate(session)
        return service.import_features(
            session, features, by=f"{name} (import)", progress=bar, **options
        )


def _lines(data: dict[str, Any], *, is_dry_run: bool) -> list[str]:
    """Say in sentences what the report holds."""
    read = ", ".join(f"{count} {kind}" for kind, count in data["read"].items()) or "0"
    lines = [_("Read: %(read)s.", read=read)]
    if data["made_nodes"]:
        lines.append(_("Nodes made where ends meet: %(count)s.", count=data["made_nodes"]))
    titles = {"guessed": _("Guessed"), "wrong": _("Wrong"), "errors": _("Errors")}
    severities = {"guessed": "guessed", "wrong": "wrong", "errors": "error"}
    for name, title in titles.items():
        for code, count in data[name].items():
            texts = [
                finding["text"] + _place_of(finding)
                for finding in data["findings"]
                if finding["code"] == code and finding["severity"] == severities[name]
            ]
            shown = texts if name == "errors" else texts[:LISTED_IN_TEXT]
            lines.append(f"{title}: {code}: {count}")
            lines += [f"  {text}" for text in shown]
            if count > len(shown):
                lines.append("  " + _("... and %(count)s more", count=count - len(shown)))
    for kind, gone in data["absent"].items():
        shown = gone["ids"][:LISTED_IN_TEXT]
        ids = ", ".join(shown) + (" ..." if gone["count"] > len(shown) else "")
        values = {"count": gone["count"], "kind": kind, "ids": ids}
        if gone["deleted"]:
            lines.append(
                _("Not in the file any more, deleted: %(count)s %(kind)s: %(ids)s", **values)
            )
        else:
            lines.append(_("Not in the file, kept: %(count)s %(kind)s: %(ids)s", **values))
    return [*lines, _outcome(data, is_dry_run=is_dry_run)]


def _place_of(finding: dict[str, Any]) -> str:
    if finding["lon"] is None:
        return ""
    return f" [{finding['kind']} {finding['id']} @ {finding['lon']:.7f} {finding['lat']:.7f}]"


def _outcome(data: dict[str, Any], *, is_dry_run: bool) -> str:
    if data["refused"]:
        return str(_("The file was refused; nothing was imported."))
    if is_dry_run:
        return str(_("A dry run: nothing was changed."))
    if not data["changes"]:
        return str(_("The database holds all of this already; nothing changed."))
    parts = [
        f"{kind} +{change['inserted']} ~{change['updated']} -{change['deleted']}"
        for kind, change in data["changes"].items()
    ]
    return str(_("Imported: %(changes)s.", changes=", ".join(parts)))


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export(file: Path) -> None:
    """Write the network to FILE, in the format that its ending names."""
    from fieldops.network_files import queries, service
    from gis import formats
    from gis.features import KINDS

    bar = Bar()
    with open_sessions(Settings.from_environ())() as session:
        queries.isolate(session)
        features = service.export_features(session, bar)
    count = sum(len(getattr(features, f"{kind}s")) for kind in KINDS)
    draft = file.with_name(f".{file.stem}.part{file.suffix}")
    try:
        lost = formats.write(draft, features)
        for part in draft.parent.glob(f".{file.stem}.part.*"):
            part.rename(file.with_suffix(part.suffix))
    except formats.FormatError as error:
        raise FieldopsError(error.findings[0].msgid, **error.findings[0].values) from error
    except OSError as error:
        raise FieldopsError(
            "%(file)s cannot be written: %(reason)s.", file=file, reason=error.strerror or error
        ) from error
    bar("writing", 1.0)
    for finding in lost:
        click.echo(finding.text(lambda msgid: str(_(msgid))), err=True)
    click.echo(_("Wrote %(count)s features to %(file)s.", count=count, file=file), err=True)


@click.command("info")
@click.option("--format", "format_", type=FORMATS, default="text", show_default=True)
def info(format_: str) -> None:
    """Tell what is stored, at which revision, and where."""
    from fieldops.network.service import describe_network
    from fieldops.network_files.queries import describe_database

    settings = Settings.from_environ()
    with open_sessions(settings)() as session:
        data = describe_network(session) | {
            "database": describe_database(session)
            | {"home": None if settings.database_url else str(settings.home)},
            "versions": _versions(),
        }
    if format_ == "json":
        click.echo(json.dumps(data, ensure_ascii=False, indent=1, default=str))
        return
    for name, value in data.items():
        if isinstance(value, dict):
            click.echo(f"{name}: " + ", ".join(f"{key} {what}" for key, what in value.items()))
        else:
            click.echo(f"{name}: {value}")


def _versions() -> dict[str, str]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from fieldops.migrations import newest_revision

    try:
        fieldops = version("fieldops")
    except PackageNotFoundError:
        fieldops = "checkout"
    return {
        "fieldops": fieldops,
        "migration": newest_revision(),
        "python": platform.python_version(),
    }


commands = [import_, export, info]
