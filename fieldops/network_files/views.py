"""Pages on which a network file is sent, looked at, and confirmed."""

from __future__ import annotations

import datetime as dt
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Response, current_app, jsonify, redirect, render_template, request
from flask import url_for as url
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from fieldops import access, db
from fieldops.basemaps.service import list_basemaps
from fieldops.errors import NotFoundError
from fieldops.network_files import queries, service
from fieldops.network_files.forms import ImportForm, say_words
from fieldops.settings import make_home
from gis.findings import MESSAGES

if TYPE_CHECKING:
    from flask import Flask
    from flask.typing import ResponseReturnValue

    from fieldops.network_files.queries import SentFile

network_files = Blueprint("network_files", __name__, url_prefix="/network/imports")

LARGEST_BYTES = 4 * 1024**3
"""A million pipes with everything on them are under 2 GB as GeoJSON."""
LARGEST_ELSEWHERE_BYTES = 16 * 1024**2
MANY_PIPES = 20_000
SHOWN_PER_CODE = 20
COUNTS_OF = {"error": "errors", "wrong": "wrong", "guessed": "guessed"}
"""What a report calls its counts by severity, the gravest first."""


_NAMES_OF_THINGS = ("kind", "end", "by", "expected")
_WORDS = {
    "node": _l("node"),
    "pipe": _l("pipe"),
    "valve": _l("valve"),
    "pump": _l("pump"),
    "control_valve": _l("control valve"),
    "source": _l("source"),
    "customer": _l("customer"),
    "hydrant": _l("hydrant"),
    "road": _l("road"),
    "depot": _l("depot"),
    "start": _l("start"),
    "end": _l("end"),
}


def init_app(app: Flask) -> None:
    """Let only this page take large bodies; before anything reads them."""

    def limit_body() -> None:
        is_upload = request.endpoint == "network_files.receive_file"
        request.max_content_length = LARGEST_BYTES if is_upload else LARGEST_ELSEWHERE_BYTES

    app.before_request_funcs.setdefault(None, []).insert(0, limit_body)


@network_files.get("/")
@access.allow("planner", "manager", "admin", menu=_l("Import"))
def list_imports() -> ResponseReturnValue:
    """Show the form and the last files."""
    return _list_page(ImportForm())


@network_files.post("/")
@access.allow("planner", "manager", "admin")
def receive_file() -> ResponseReturnValue:
    """Store a file and have it checked."""
    form = ImportForm()
    if not form.validate():
        return _list_page(form), 400
    person = access.current_person()
    assert person is not None  # noqa: S101 - the route lets nobody else through
    name = Path(str(form.file.data.filename).replace("\\", "/")).name
    folder = current_app.extensions["fieldops.settings"].home / "uploads" / secrets.token_hex(16)
    make_home(folder.parent)
    folder.mkdir(mode=0o700)
    # The name that people know stays on the page; on the disk only its ending counts.
    path = folder / f"network{Path(name).suffix.lower()}"
    form.file.data.save(path)
    with db.transaction() as session:
        key = service.send_file(
            session,
            file_name=name[:200],
            path=path,
            options=form.options(),
            by=person.name,
            now=dt.datetime.now(dt.UTC),
        )
    return redirect(url("network_files.show_import", key=key), 303)


@network_files.get("/<int:key>")
@access.allow("planner", "manager", "admin")
def show_import(key: int) -> ResponseReturnValue:
    """Show how far a file is, and what it holds; the page looks again by itself."""
    with db.transaction() as session:
        sent = service.find_sent_file(session, key)
    report = sent.report or {}
    page = render_template(
        "network_files/import.html",
        sent=sent,
        report=report,
        groups=_groups(report),
        failure=_(report["msgid"], **report["params"]) if "msgid" in report else None,
        totals={name: sum(report.get(of, {}).values()) for name, of in COUNTS_OF.items()},
        shown=SHOWN_PER_CODE,
        page_data=_page_data(sent),
        words=say_words(),
    )
    answer = current_app.make_response(page)
    if sent.is_underway:
        answer.headers["Refresh"] = "3"
    return answer


@network_files.post("/<int:key>/confirm")
@access.allow("planner", "manager", "admin")
def confirm(key: int) -> ResponseReturnValue:
    """Land a file that was checked."""
    with db.transaction() as session:
        service.confirm_import(session, key)
    return redirect(url("network_files.show_import", key=key), 303)


@network_files.get("/<int:key>/findings.geojson")
@access.allow("planner", "manager", "admin")
def show_findings(key: int) -> ResponseReturnValue:
    """Give what was guessed and what is wrong, each at its place."""
    with db.transaction() as session:
        sent = service.find_sent_file(session, key)
    findings = [
        finding | {"text": _say(finding)} for finding in (sent.report or {}).get("findings", [])
    ]
    answer = jsonify(service.as_layer(findings))
    answer.mimetype = "application/geo+json"
    return answer


@network_files.get("/<int:key>/preview.geojson")
@access.allow("planner", "manager", "admin")
def show_file(key: int) -> ResponseReturnValue:
    """Give what a file draws, as long as it waits or was refused."""
    with db.transaction() as session:
        sent = service.find_sent_file(session, key)
    try:
        drawn = service.path_of_preview(sent.path).read_bytes()
    except FileNotFoundError:
        raise NotFoundError("The drawing of import %(key)s is gone.", key=key) from None
    return Response(drawn, mimetype="application/geo+json")


@network_files.get("/preview.geojson")
@access.allow("planner", "manager", "admin")
def show_preview() -> ResponseReturnValue:
    """Give the largest pipes of the stored network, to draw findings over."""
    with db.transaction() as session:
        return Response(queries.read_preview(session, MANY_PIPES), mimetype="application/geo+json")


def _page_data(sent: SentFile) -> dict[str, object] | None:
    """Tell the map's scripts what to draw; None where there is nothing to look at."""
    has_drawing = service.path_of_preview(sent.path).is_file()
    if sent.is_underway or not (has_drawing or sent.status == "landed"):
        return None
    return {
        "language": str(get_locale()).replace("_", "-"),
        "basemaps": list_basemaps(current_app.extensions["fieldops.settings"]),
        "file": url("network_files.show_file", key=sent.key) if has_drawing else None,
        "stored": url("network_files.show_preview"),
        "most_stored": MANY_PIPES,
        "findings": url("network_files.show_findings", key=sent.key),
    }


def _list_page(form: ImportForm) -> str:
    with db.transaction() as session:
        sent = queries.read_sent_files(session)
    return render_template("network_files/imports.html", form=form, sent=sent)


def _say(finding: dict[str, object]) -> str:
    """Say a finding in the reader's language, where its values are still known."""
    values = finding.get("values")
    if not isinstance(values, dict):
        return str(finding["text"])
    told = values | {name: _word(values[name]) for name in _NAMES_OF_THINGS if name in values}
    return str(_(MESSAGES[str(finding["code"])], **told))


def _word(value: object) -> str:
    """Say the name that a file has for a kind or an end as people do."""
    return str(_WORDS.get(str(value), value))


def _groups(report: dict[str, object]) -> list[dict[str, object]]:
    """Put the findings of each code together, errors first."""
    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    listed = report.get("findings", [])
    assert isinstance(listed, list)  # noqa: S101 - written by ourselves
    for number, finding in enumerate(listed):
        texts = found.setdefault((finding["severity"], finding["code"]), [])
        if len(texts) < SHOWN_PER_CODE or finding["severity"] == "error":
            texts.append((number, _say(finding)))
    counts: dict[str, dict[str, int]] = {
        severity: report.get(name, {})  # type: ignore[misc]
        for severity, name in COUNTS_OF.items()
    }
    return [
        {
            "severity": severity,
            "code": code,
            "count": count,
            "texts": found.get((severity, code), []),
        }
        for severity, by_code in counts.items()
        for code, count in by_code.items()
    ]
