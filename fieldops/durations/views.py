"""The page that publishes how well restoration times were forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template
from flask import url_for as url
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from fieldops import access, db
from fieldops.durations import service
from fieldops.durations.forms import STAGE_NAMES, HistoryForm
from fieldops.language import TIMEZONE

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

durations = Blueprint("durations", __name__, url_prefix="/durations")


@durations.get("/")
@access.allow("dispatcher", "planner", "manager", "admin", menu=_l("Restoration times"))
def show_learning() -> ResponseReturnValue:
    """Show what was forecast beside what came."""
    return _page(HistoryForm())


@durations.post("/")
@access.allow("planner", "manager", "admin")
def receive_history() -> ResponseReturnValue:
    """Add the repairs of a file."""
    form = HistoryForm()
    if not form.validate():
        return _page(form), 400
    with db.transaction() as session:
        found = service.import_repairs(session, form.file.data.read(), ZoneInfo(TIMEZONE))
    flash(
        _(
            "%(added)s repairs added, %(known)s were there already.",
            added=found.added,
            known=found.known,
        ),
        "done",
    )
    if found.faults:
        flash(
            _(
                "%(count)s rows were left out: a moment is missing, cannot be read, or the end is"
                " not after the beginning. Lines: %(lines)s.",
                count=len(found.faults),
                lines=", ".join(str(line) for line, _reason in found.faults[:20]),
            ),
            "error",
        )
    return redirect(url("durations.show_learning"), 303)


def _page(form: HistoryForm) -> str:
    with db.transaction() as session:
        learned = service.describe_learning(session)
    return render_template(
        "durations/learning.html", form=form, learned=learned, stage_names=STAGE_NAMES
    )
