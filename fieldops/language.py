"""In which language a reader is spoken to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from flask import has_request_context, request
from flask_babel import Babel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Flask, Response

LANGUAGES = ("zh_CN", "en")
COOKIE = "lang"
TRANSLATIONS = Path(__file__).parent / "translations"


def init_app(app: Flask) -> None:
    """Speak the language that the request asks for, and remember it."""
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    app.config["BABEL_DEFAULT_LOCALE"] = LANGUAGES[0]
    Babel(app, locale_selector=choose_for_request)
    app.after_request(_remember)


def choose_for_request() -> str:
    """Choose by `?lang=`, else by what was chosen before, else Chinese."""
    if has_request_context():
        for wish in (request.args.get("lang"), request.cookies.get(COOKIE)):
            if wish in LANGUAGES:
                return wish
    return LANGUAGES[0]


def choose_for_terminal(environ: Mapping[str, str] = os.environ) -> str:
    """Choose by FIELDOPS_LANG, else by the terminal's language, else English."""
    wish = environ.get("FIELDOPS_LANG")
    if wish in LANGUAGES:
        return wish
    terminal = environ.get("LC_ALL") or environ.get("LANG") or ""
    return "zh_CN" if terminal.startswith("zh") else "en"


def _remember(response: Response) -> Response:
    wish = request.args.get("lang")
    if wish in LANGUAGES and wish != request.cookies.get(COOKIE):
        response.set_cookie(
            COOKIE, wish, max_age=400 * 86400, samesite="Lax", secure=request.is_secure
        )
    return response
