"""What can go wrong, and the HTTP answer to each."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from flask_babel import gettext

if TYPE_CHECKING:
    from flask import Flask
    from flask.typing import ResponseReturnValue


class FieldopsError(Exception):
    """
    A fault in what was asked. The message is for the person who asked it.

    `msgid` is English with %(name)s placeholders, so that the web page and the
    command line each translate it into the language of whoever reads it.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad-request"

    def __init__(self, msgid: str, **params: object) -> None:
        """Keep the message apart from its values."""
        self.msgid = msgid
        self.params = params
        super().__init__(msgid % params if params else msgid)


class NotFoundError(FieldopsError):
    """The thing asked for is not there."""

    status = 404
    code = "not-found"


class ForbiddenError(FieldopsError):
    """The person may not do this."""

    status = 403
    code = "forbidden"


class ConflictError(FieldopsError):
    """It was changed by somebody else in the meantime."""

    status = 409
    code = "conflict"


def init_app(app: Flask) -> None:
    """Answer every `FieldopsError` as problem details (RFC 9457)."""

    @app.errorhandler(FieldopsError)
    def answer(error: FieldopsError) -> ResponseReturnValue:
        problem = {
            "type": f"about:blank#{error.code}",
            "title": type(error).__doc__,
            "detail": gettext(error.msgid, **error.params),
            "status": error.status,
        }
        return problem, error.status, {"Content-Type": "application/problem+json"}
