"""The public pages: no name, no script needed, made for a phone."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from typing import TYPE_CHECKING

from flask import Blueprint, current_app, redirect, render_template, request
from flask import url_for as url
from flask_babel import gettext as _

from fieldops import access, db
from fieldops.errors import FieldopsError, TooManyError
from fieldops.incidents.forms import name_kind
from fieldops.language import html_lang
from fieldops.photos.service import draw_photo
from fieldops.public import service
from fieldops.public.forms import CHOICES, CREW_WORDS, STATE_WORDS, read_public_report
from fieldops.reports.forms import describe_promise, page_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask.typing import ResponseReturnValue

public = Blueprint("public", __name__)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@public.get("/report")
@access.public
def show_form() -> ResponseReturnValue:
    """Show the form."""
    return _form_page({})


def _form_page(fields: Mapping[str, str], problem: str = "") -> str:
    return render_template(
        "public/report.html",
        fields=fields,
        problem=problem,
        kinds=CHOICES,
        most_photos=service.MOST_PHOTOS,
        page_data={"language": html_lang()},
        page_words=page_words(),
    )


@public.post("/report")
@access.public
def receive() -> ResponseReturnValue:
    """Take a report in, and go on to the reporter's own page."""
    fields = request.form.to_dict()
    try:
        with db.transaction() as session:
            service.admit(session, _sender(), _now())
        draft = read_public_report(fields)
        files = [file for file in request.files.getlist("photo") if file.filename]
        if len(files) > service.MOST_PHOTOS:
            raise FieldopsError("Send at most %(most)s photos.", most=service.MOST_PHOTOS)  # noqa: TRY301 - told on the form
        photos = [draw_photo(file.read()) for file in files]
        with db.transaction() as session:
            report = service.receive_report(session, draft, photos, _now())
    except TooManyError as error:
        page = _form_page(fields, _(error.msgid, **error.params))
        return page, error.status, dict(error.headers)
    except FieldopsError as error:
        return _form_page(fields, _(error.msgid, **error.params)), error.status
    return redirect(url("public.show_status", token=report.token), 303)


def _sender() -> str:
    """Give a keyed hash of the address: enough to count by, too little to find anybody."""
    secret = current_app.secret_key
    key = secret if isinstance(secret, bytes) else str(secret).encode()
    return hmac.new(key, (request.remote_addr or "?").encode(), hashlib.sha256).hexdigest()


@public.get("/report/<token>")
@access.public
def show_status(token: str) -> ResponseReturnValue:
    """Tell the reporter what is known."""
    with db.transaction() as session:
        status = service.read_status(session, token, _now())
    return render_template(
        "public/status.html",
        status=status,
        report=status.report,
        kind=name_kind(status.report.kind),
        state=STATE_WORDS[status.report.status],
        crew=CREW_WORDS[status.crew],
        promise=describe_promise(status.promise),
        token=token,
    )


@public.post("/report/<token>/not-back")
@access.public
def tell_not_back(token: str) -> ResponseReturnValue:
    """Note that the water is not back."""
    with db.transaction() as session:
        service.tell_not_back(session, token, _now())
    return redirect(url("public.show_status", token=token), 303)
