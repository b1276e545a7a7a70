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
