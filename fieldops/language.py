"""Which language a person reads, and the catalogues of messages."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import g, has_request_context, request
from flask_babel import Babel, get_locale

from fieldops import access

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Flask, Response

LANGUAGES = {"zh_CN": "中文", "en": "English"}
DEFAULT = "zh_CN"
COOKIE = "lang"
COOKIE_AGE_S = 365 * 24 * 3600
TIMEZONE = "Asia/Shanghai"
TRANSLATIONS = Path(__file__).parent / "translations"


def init_app(app: Flask) -> None:
    """Translate what the app says, and keep the language somebody asked for by `?lang=`."""
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    Babel(
        app, default_locale=DEFAULT, default_timezone=TIMEZONE, locale_selector=choose_for_request
    )
    app.after_request(keep_asked_language)
    app.context_processor(
        lambda: {"languages": LANGUAGES, "language": current_language(), "html_lang": html_lang()}
    )


def choose_for_request() -> str:
    """Choose: asked for in the address, the person's own, the cookie, the browser's English."""
    if not has_request_context():
        return choose_for_terminal()
    person = access.known_person()
    chosen = (
        request.args.get("lang"),
        person.language if person else None,
        request.cookies.get(COOKIE),
    )
    for language in chosen:
        if language in LANGUAGES:
            return language
    # zh_CN is the house's language: a browser has to say English first to be given it.
    return "en" if request.headers.get("Accept-Language", "").lower().startswith("en") else DEFAULT


def choose_for_terminal(environ: Mapping[str, str] = os.environ) -> str:
    """Choose the language of the command line: FIELDOPS_LANG, else the terminal's."""
    asked = environ.get("FIELDOPS_LANG")
    if asked in LANGUAGES:
        return asked
    locale = environ.get("LC_ALL") or environ.get("LANG") or ""
    return "zh_CN" if locale.startswith("zh") else "en"


def current_language() -> str:
    """Give the language that this answer is in, as `LANGUAGES` writes it."""
    locale = get_locale()
    return DEFAULT if locale is None or locale.language == "zh" else "en"


def html_lang() -> str:
    """Give the language that this answer is in, as HTML writes it."""
    return current_language().replace("_", "-")


def set_cookie(response: Response, language: str) -> None:
    """Remember a language in the browser."""
    response.set_cookie(
        COOKIE,
        language,
        max_age=COOKIE_AGE_S,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )


def keep_asked_language(response: Response) -> Response:
    """Remember the language of `?lang=` for the pages that follow."""
    asked = request.args.get("lang")
    if asked in LANGUAGES and request.cookies.get(COOKIE) != asked and "is_error_page" not in g:
        set_cookie(response, asked)
    return response


def compile_catalogues(directory: Path = TRANSLATIONS) -> None:
    """Make each .mo that is missing or older than its .po; two at once do no harm."""
    for source in sorted(directory.glob("*/LC_MESSAGES/*.po")):
        # Babel looks for zh_CN under the full name of that locale, zh_Hans_CN.
        locale = Locale.parse(source.parts[-3])
        target = directory / str(locale) / "LC_MESSAGES" / f"{source.stem}.mo"
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        with source.open("rb") as stream:
            catalogue = read_po(stream, locale=locale, abort_invalid=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_suffix(f".mo.{os.getpid()}")
        with draft.open("wb") as stream:
            write_mo(stream, catalogue)
        draft.replace(target)
