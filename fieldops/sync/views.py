"""The page on which a dispatcher reads in what a tablet could not send."""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Blueprint, current_app, redirect, render_template, request
from flask import url_for as url
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from fieldops import access, db
from fieldops.access import check_caller
from fieldops.errors import FieldopsError, NotFoundError
from fieldops.order_process.forms import say_message
from fieldops.photos.service import Claims, draw_photo, keep_photo
from fieldops.settings import make_home
from fieldops.sync import queries, service
from fieldops.sync.forms import (
    LARGEST_RESCUE_BYTES,
    RescueForm,
    name_step,
    name_subject,
    read_rescue,
    read_rescued,
    read_rescued_photo,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask import Flask
    from flask.typing import ResponseReturnValue

    from fieldops.sync.forms import Rescue, RescuedOperation, RescuedPhoto

logger = logging.getLogger(__name__)

rescue = Blueprint("rescue", __name__, url_prefix="/rescue")

IMPORTERS = ("dispatcher", "manager", "admin")
DONE = {"applied", "applied_with_conflict"}
FILES_KEPT = dt.timedelta(days=30)
STATUS_NAMES = {
    "applied": _l("taken over"),
    "applied_with_conflict": _l("taken over, but for values that others had changed"),
    "conflict": _l("somebody else changed the same meanwhile"),
    "missing": _l("something is missing"),
    "illegal": _l("not possible as things stand now"),
    "forbidden": _l("not allowed"),
    "failed": _l("a fault of fieldops itself; read the file in once more"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one thing in a file."""

    what: str
    person: str
    at: dt.datetime | None
    status: str
    message: str = ""
    is_known: bool = False

    @property
    def is_refused(self) -> bool:
        """Tell whether somebody has to look at it."""
        return self.status != "applied"


def init_app(app: Flask) -> None:
    """Let a rescue file be as large as its photos; before anything reads the body."""

    def allow_body() -> None:
        if request.endpoint == "rescue.receive_file":
            request.max_content_length = LARGEST_RESCUE_BYTES

    checks = app.before_request_funcs.setdefault(None, [])
    checks.insert(checks.index(check_caller), allow_body)


@rescue.get("/")
@access.allow(*IMPORTERS)
def show_form() -> ResponseReturnValue:
    """Ask for a file."""
    return render_template("sync/rescue.html", form=RescueForm())


@rescue.post("/")
@access.allow(*IMPORTERS)
def receive_file() -> ResponseReturnValue:
    """Keep a file under its hash, and show what it holds."""
    form = RescueForm()
    if not form.validate():
        return render_template("sync/rescue.html", form=form), 400
    with form.file.data.stream as sent:
        data = sent.read()
    try:
        sha256, _content = read_rescue(data)
    except FieldopsError as error:
        form.file.errors = [_(error.msgid, **error.params)]
        return render_template("sync/rescue.html", form=form), 400
    path = _path_of(sha256)
    make_home(path.parent.parent)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    _forget_old(path.parent)
    path.write_bytes(data)
    return redirect(url("rescue.show_file", sha256=sha256), 303)


@rescue.get("/<sha256>")
@access.allow(*IMPORTERS)
def show_file(sha256: str) -> ResponseReturnValue:
    """Show whose records a file holds, how many, and which are known already."""
    found = _read_file(sha256)
    ops, photos = list(_readable_ops(found)), list(_readable_photos(found))
    names = {op.person_id: op.person_name for op in ops}
    with db.transaction() as session:
        preview = service.preview_rescue(
            session,
            [str(op.op_id) for op in ops],
            [photo.sha256 for photo in photos],
            [*names, *(photo.person_id for photo in photos)],
        )
    counted = Counter(op.person_id for op in ops)
    pictures = Counter(photo.person_id for photo in photos)
    people = [
        {
            "name": person.name if person else names.get(each) or str(each),
            "is_known": person is not None,
            "ops": counted[each],
            "photos": pictures[each],
        }
        for each, person in preview.people.items()
    ]
    return render_template(
        "sync/rescue_file.html",
        file=found,
        sha256=sha256,
        people=people,
        ops=[(op, str(op.op_id) in preview.known_ops) for op in ops],
        name_step=name_step,
        name_subject=name_subject,
        unreadable=len(found.ops) - len(ops) + len(found.photos) - len(photos),
        photos=len(photos),
        known_photos=len(preview.known_photos),
        known_ops=len(preview.known_ops),
    )


@rescue.post("/<sha256>/import")
@access.allow(*IMPORTERS)
def take_in(sha256: str) -> ResponseReturnValue:
    """Do what a file holds, each for itself and once, and name what was refused."""
    found = _read_file(sha256)
    lines = [_take_operation(sent, found) for sent in found.ops]
    lines += [_take_photo(sent) for sent in found.photos]
    counted = {
        "new": sum(not line.is_known and line.status in DONE for line in lines),
        "known": sum(line.is_known for line in lines),
    }
    logger.info("rescue file %s: %s of %s new", sha256, counted["new"], len(lines))
    return render_template(
        "sync/rescue_done.html",
        file=found,
        counted=counted,
        refused=[line for line in lines if line.is_refused],
        status_names=STATUS_NAMES,
    )


def _take_operation(sent: object, found: Rescue) -> Line:
    """Do one operation in a transaction of its own."""
    importer = access.current_person()
    assert importer is not None  # noqa: S101 - the route lets nobody else through
    try:
        op = read_rescued(sent)
    except FieldopsError as error:
        return Line(_what_of(sent), "", None, "illegal", _(error.msgid, **error.params))
    what, now = _name(op), dt.datetime.now(dt.UTC)
    try:
        with db.transaction() as session:
            known = queries.fetch_answered(session, [str(op.op_id)])
            person = service.find_author(session, op.person_id)
            if person is None:
                message = _("There is no person number %(id)s.", id=op.person_id)
                return Line(what, op.person_name, op.occurred_at, "forbidden", message)
            result = service.import_operation(
                session,
                op.as_operation(),
                person,
                importer,
                by_phone_for=op.by_phone_for,
                skew_s=found.skew_s,
                now=now,
            )
    except FieldopsError as error:
        message = _(error.msgid, **error.params)
        return Line(what, op.person_name, op.occurred_at, "conflict", message)
    except Exception:
        logger.exception("operation %s of a rescue file failed", op.op_id)
        return Line(what, op.person_name, op.occurred_at, "failed")
    message = result["message"] and say_message(result["message"], result["params"])
    return Line(what, person.name, op.occurred_at, result["status"], message, is_known=bool(known))


def _take_photo(sent: object) -> Line:
    """Keep one photo, with what its camera said."""
    try:
        photo = read_rescued_photo(sent)
        drawing = draw_photo(photo.data, sha256=photo.sha256)
    except FieldopsError as error:
        return Line(_("Photo"), "", None, "illegal", _(error.msgid, **error.params))
    now = dt.datetime.now(dt.UTC)
    claims = Claims(
        taken_at=photo.taken_at,
        lon=photo.lon,
        lat=photo.lat,
        original_sha256=photo.original_sha256,
    )
    try:
        with db.transaction() as session:
            preview = service.preview_rescue(session, [], [photo.sha256], [photo.person_id])
            person = preview.people[photo.person_id]
            keep_photo(
                session, drawing, person_id=person.id if person else None, now=now, claims=claims
            )
    except Exception:
        # The next one may go; and what became of the others has to be told.
        logger.exception("photo %s of a rescue file failed", photo.sha256)
        return Line(_("Photo"), "", photo.taken_at, "failed")
    name = person.name if person else ""
    return Line(_("Photo"), name, photo.taken_at, "applied", is_known=bool(preview.known_photos))


def _readable_ops(found: Rescue) -> Iterator[RescuedOperation]:
    for sent in found.ops:
        with suppress(FieldopsError):
            yield read_rescued(sent)


def _readable_photos(found: Rescue) -> Iterator[RescuedPhoto]:
    for sent in found.photos:
        with suppress(FieldopsError):
            yield read_rescued_photo(sent)


def _name(op: RescuedOperation) -> str:
    return f"{name_step(op.action)} · {name_subject(op.subject, op.body)}"


def _what_of(sent: object) -> str:
    told: dict[str, Any] = sent if isinstance(sent, dict) else {}
    return f"{told.get('action', '?')} · {told.get('subject', '?')}"[:200]


def _path_of(sha256: str) -> Path:
    home: Path = current_app.extensions["fieldops.settings"].home
    return home / "rescues" / f"{sha256}.json"


def _read_file(sha256: str) -> Rescue:
    """
    Read a file that was sent before.

    Raises
    ------
    NotFoundError
        If it is not here, or no longer.
    """
    is_hash = len(sha256) == 64 and set(sha256) <= set("0123456789abcdef")
    path = _path_of(sha256)
    if not is_hash or not path.is_file():
        raise NotFoundError("This rescue file is not here any more. Choose it once more.")
    return read_rescue(path.read_bytes())[1]


def _forget_old(folder: Path) -> None:
    """Forget files that were read in long ago: they hold people's records."""
    before = (dt.datetime.now(dt.UTC) - FILES_KEPT).timestamp()
    for path in folder.glob("*.json"):
        if path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
