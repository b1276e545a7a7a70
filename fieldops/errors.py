"""What can go wrong, and the HTTP answer to each."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, ClassVar

from flask import g, render_template, request
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from werkzeug.exceptions import HTTPException, InternalServerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Flask
    from flask.typing import ResponseReturnValue

logger = logging.getLogger(__name__)

MACHINE_PATHS = ("/api/", "/tiles/")


class FieldopsError(Exception):
    """
    A fault in what was asked. The message is for the person who asked it.

    `msgid` is English with %(name)s placeholders, so that the web page and the
    command line each translate it into the language of whoever reads it.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad-request"
    title: ClassVar[object] = _l("This cannot be done")

    def __init__(self, msgid: str, **params: object) -> None:
        """Keep the message apart from its values."""
        self.msgid = msgid
        self.params = params
        super().__init__(msgid % params if params else msgid)

    @property
    def headers(self) -> Mapping[str, str]:
        """What the HTTP answer carries besides the message."""
        return {}


class UnauthenticatedError(FieldopsError):
    """Nobody is signed in, or the token is not valid."""

    status = 401
    code = "unauthenticated"
    title = _l("Sign in first")

    @property
    def headers(self) -> Mapping[str, str]:
        """Tell a machine how to identify itself."""
        return {"WWW-Authenticate": "Bearer"}


class ForbiddenError(FieldopsError):
    """The person may not do this."""

    status = 403
    code = "forbidden"
    title = _l("Not allowed")


class StalePageError(FieldopsError):
    """A write came without the token of the page it says to come from."""

    code = "stale-page"
    title = _l("The page is too old")


class NotFoundError(FieldopsError):
    """The thing asked for is not there."""

    status = 404
    code = "not-found"
    title = _l("Not found")


class ConflictError(FieldopsError):
    """What is asked does not fit the state that things are in, perhaps by somebody else's doing."""

    status = 409
    code = "conflict"
    title = _l("Not possible as things stand now")


class TooManyError(FieldopsError):
    """Too many attempts in too short a time."""

    status = 429
    code = "too-many"
    title = _l("Too many attempts")

    def __init__(self, msgid: str, *, retry_after_s: int, **params: object) -> None:
        """Keep how long to wait."""
        super().__init__(msgid, **params)
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> Mapping[str, str]:
        """Say when to come back."""
        return {"Retry-After": str(self.retry_after_s)}


HTTP_MESSAGES = {
    400: (_l("This cannot be done"), _l("The request cannot be understood.")),
    404: (_l("Not found"), _l("There is nothing at %(path)s. Check the address.")),
    405: (_l("Not allowed"), _l("%(path)s does not accept %(method)s.")),
    413: (_l("Too large"), _l("What was sent is larger than the limit.")),
    415: (_l("This cannot be done"), _l("Send JSON, with the header Content-Type.")),
    429: (_l("Too many attempts"), _l("Too many requests in a short time. Wait a minute.")),
    500: (
        _l("Something went wrong here"),
        _l("The fault was written down under the number %(number)s. Try again; tell it on."),
    ),
    503: (_l("Not available now"), _l("A part of the system is not answering. Try again soon.")),
}


def is_for_machines() -> bool:
    """Tell whether the answer is read by a program rather than by a person."""
    if request.path.startswith(MACHINE_PATHS):
        return True
    accepted = request.accept_mimetypes
    return accepted.best_match(["text/html", "application/json"]) == "application/json"


def answer_problem(
    status: int, code: str, title: object, detail: str, headers: Mapping[str, str]
) -> ResponseReturnValue:
    """Answer as problem details (RFC 9457), or as a page that says the same."""
    if is_for_machines():
        problem = {
            "type": f"urn:fieldops:problem:{code}",
            "title": str(title),
            "status": status,
            "detail": detail,
        }
        return problem, status, {**headers, "Content-Type": "application/problem+json"}
    g.is_error_page = True
    page = render_template("errors/error.html", status=status, title=str(title), detail=detail)
    return page, status, dict(headers)


def init_app(app: Flask) -> None:
    """Answer every error in the person's language, and never with a traceback."""

    @app.errorhandler(FieldopsError)
    def answer(error: FieldopsError) -> ResponseReturnValue:
        detail = gettext(error.msgid, **error.params)
        return answer_problem(error.status, error.code, error.title, detail, error.headers)

    @app.errorhandler(HTTPException)
    def answer_http(error: HTTPException) -> ResponseReturnValue:
        status = error.code or 500
        if error.response is not None or status < 400:
            return error.get_response()
        number = secrets.token_hex(4)
        if isinstance(error, InternalServerError):
            logger.error("fault %s at %s", number, request.path, exc_info=error.original_exception)
        title, detail = HTTP_MESSAGES.get(status, HTTP_MESSAGES[500 if status >= 500 else 400])
        values = {"path": request.path, "method": request.method, "number": number}
        headers = {
            name: value
            for name, value in error.get_headers()
            if name in {"Allow", "Retry-After", "WWW-Authenticate"}
        }
        text = str(detail) % values
        return answer_problem(status, f"http-{status}", title, text, headers)
