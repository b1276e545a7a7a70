"""The crew's page and all that a browser needs to open it without signal; no data is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, abort, current_app, redirect, url_for
from flask_babel import lazy_gettext as _l

from fieldops import access
from fieldops.access import Role
from fieldops.language import LANGUAGES
from fieldops.tablet.forms import ICON_ADDRESS, write_manifest
from fieldops.tablet.service import (
    ICON_SIZES,
    SHELL,
    draw_icon,
    list_styles,
    make_release,
    make_version,
    read_map_worker,
    write_words,
    write_worker,
)

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from fieldops.tablet.service import Release

tablet = Blueprint("tablet", __name__)

WORDS_ADDRESS = "/tablet/words/{language}.json"
MANIFEST_ADDRESS = "/tablet/manifest.webmanifest"
MAP_WORKER_ADDRESS = "/tablet/map-worker.mjs"


@tablet.get(SHELL)
@access.public
def show_shell() -> ResponseReturnValue:
    """Give the page, the same for everybody: what it shows comes from the device."""
    return Response(_shell(_version()), mimetype="text/html")


@tablet.get("/tablet/open")
@access.allow(Role.CREW, menu=_l("Tablet"))
def open_tablet() -> ResponseReturnValue:
    """Lead a crew from the menu to its page."""
    return redirect(url_for("tablet.show_shell"))


@tablet.get("/tablet/sw.js")
@access.public
def give_worker() -> ResponseReturnValue:
    """Give the service worker, which keeps this release of the page."""
    answer = Response(write_worker(_release()), mimetype="text/javascript")
    answer.headers["Service-Worker-Allowed"] = SHELL
    return _fresh(answer)


@tablet.get("/tablet/version.json")
@access.public
def tell_version() -> ResponseReturnValue:
    """Tell which release the server has; that it answers tells a tablet that there is a signal."""
    answer = Response(f'{{"version": "{_version()}"}}', mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer


@tablet.get("/tablet/words/<language>.json")
@access.public
def give_words(language: str) -> ResponseReturnValue:
    """Give everything that the page says in one language."""
    if language not in LANGUAGES:
        abort(404)
    return _fresh(Response(write_words(language), mimetype="application/json"))


@tablet.get(MANIFEST_ADDRESS)
@access.public
def give_manifest() -> ResponseReturnValue:
    """Describe the page to a browser that installs it."""
    return _fresh(Response(write_manifest(), mimetype="application/manifest+json"))


@tablet.get(MAP_WORKER_ADDRESS)
@access.public
def give_map_worker() -> ResponseReturnValue:
    """
    Give the script that the map draws with, under the page's own address.

    A service worker is asked for a worker's script only where that lies in its own scope.
    """
    return _fresh(Response(read_map_worker(), mimetype="text/javascript"))


@tablet.get("/tablet/icon-<int:size>.png")
@access.public
def give_icon(size: int) -> ResponseReturnValue:
    """Give the picture that stands on the tablet's home screen."""
    if size not in ICON_SIZES:
        abort(404)
    return _fresh(Response(draw_icon(size), mimetype="image/png"))


def _fresh(answer: Response) -> Response:
    """Let a browser ask each time: the worker alone keeps things, and whole releases only."""
    answer.headers["Cache-Control"] = "no-cache"
    return answer


def _shell(version: str) -> bytes:
    # Without the context of a request: nothing of whoever asks can come to stand in it.
    template = current_app.jinja_env.get_template("tablet/shell.html")
    return template.render(version=version, styles=list_styles()).encode()


def _pages() -> dict[str, bytes]:
    words = {WORDS_ADDRESS.format(language=each): write_words(each) for each in LANGUAGES}
    icons = {ICON_ADDRESS.format(size=size): draw_icon(size) for size in ICON_SIZES}
    worker = {MAP_WORKER_ADDRESS: read_map_worker()}
    return {MANIFEST_ADDRESS: write_manifest(), **words, **icons, **worker}


def _version() -> str:
    # The shell carries the version, so it is counted as it is without one.
    return make_version({SHELL: _shell(""), **_pages()})


def _release() -> Release:
    version = _version()
    return make_release(version, {SHELL: _shell(version), **_pages()})
