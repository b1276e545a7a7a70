"""The form by which older repairs are sent, and what the page calls the stages."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired

STAGE_NAMES = {
    "reported_at": _l("Report received"),
    "dispatched_at": _l("Dispatched"),
    "on_site_at": _l("On site"),
    "water_stopped_at": _l("Water stopped"),
    "repaired_at": _l("Repaired"),
    "restored_at": _l("Supply restored"),
}


class HistoryForm(FlaskForm):  # type: ignore[misc]
    """A CSV of repairs that are over."""

    file = FileField(
        _l("File"),
        validators=[FileRequired(_l("Choose a file."))],
        description=_l(
            "CSV with the columns reported_at and restored_at; dispatched_at, on_site_at,"
            " water_stopped_at and repaired_at where they are known."
        ),
    )
