"""The form by which a network file is sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import BooleanField, FloatField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import NumberRange, Optional, Regexp, ValidationError

from gis.formats import ENDINGS

if TYPE_CHECKING:
    from wtforms import Field


WORDS = {
    "map": _l("Map of the file; arrows move it"),
    "zoom-in": _l("Zoom in"),
    "zoom-out": _l("Zoom out"),
    "unit.m": _l("m"),
    "unit.km": _l("km"),
    "offline": _l("No connection: what you see may be out of date."),
    "no-answer": _l("The server does not answer."),
    "signed-out": _l("You are signed out. Sign in again."),
    "failed": _l("The server answered with fault %(status)s."),
    "draw-failed": _l("The map could not be drawn: %(reason)s. The report beside it is complete."),
    "try-again": _l("Try again"),
    "not-here": _l("%(n)s have no place on the map; they are in the list only."),
    "more": _l("Show more (%(n)s)"),
    "not-listed": _l("... and %(n)s more, which are counted only"),
    "capped-pipes": _l("The widest %(drawn)s of %(n)s pipe segments are drawn."),
    "capped-stored": _l("Of the stored pipe segments only the widest %(n)s are drawn."),
    "capped.valve": _l("The %(n)s valves are left out, being too many."),
    "capped.customer": _l("The %(n)s customers are left out, being too many."),
    "capped.hydrant": _l("The %(n)s fire hydrants are left out, being too many."),
    "empty": _l("The file draws nothing that could be shown."),
    "also-here": _l("and %(n)s more here: zoom in"),
}
"""What the scripts of the page say."""


def say_words() -> dict[str, str]:
    """Say them in the reader's language."""
    return {key: str(text) for key, text in WORDS.items()}


class ImportForm(FlaskForm):  # type: ignore[misc]
    """A file and how to read it."""

    file = FileField(
        _l("File"),
        validators=[FileRequired(_l("Choose a file."))],
        description=_l("GeoJSON, EPANET INP, GeoPackage, or shapefiles in a zip."),
    )
    crs = StringField(
        _l("Coordinate system"),
        validators=[Optional(), Regexp(r"^EPSG:\d{1,6}$", re.IGNORECASE, _l("Write EPSG:4547."))],
        description=_l("Only where it is not WGS84, as EPSG:4547."),
    )
    snap_m = FloatField(
        _l("Ends this near join (m)"),
        default=0.5,
        validators=[NumberRange(0, 100, _l("From 0 to 100 metres."))],
    )
    valves = SelectField(
        _l("Where a file has no isolation valves"),
        choices=[
            SelectChoice("none", _l("take it as it is")),
            SelectChoice("ends", _l("assume one at each end of a pipe")),
        ],
    )
    replace = BooleanField(_l("Delete whatever the file does not have"))

    def validate_file(self, field: Field) -> None:
        """Refuse what no reader knows before it is stored."""
        name = str(field.data.filename or "").lower()
        if not name.endswith(ENDINGS) or name.endswith(".shp"):
            known = " ".join(ending for ending in ENDINGS if ending != ".shp")
            raise ValidationError(_l("The name must end in one of %(endings)s.", endings=known))

    def options(self) -> dict[str, Any]:
        """Give how to read and land the file."""
        return {
            "crs": self.crs.data or None,
            "snap_m": self.snap_m.data,
            "valves": self.valves.data,
            "replace": self.replace.data,
        }
