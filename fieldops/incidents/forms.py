"""What a request about incidents may say, and how one is told to people and machines."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import Field

from fieldops.crews.forms import Body, read_body
from fieldops.incidents.service import IncidentDraft

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fieldops.incidents.service import Incident

KIND_NAMES = {
    "burst": _l("burst"),
    "leak": _l("leak"),
    "visible_leak": _l("visible leak"),
    "surfacing": _l("water surfacing"),
    "collapse": _l("road collapse"),
    "third_party_damage": _l("third-party damage"),
    "frost": _l("frost burst"),
    "no_water": _l("no water"),
    "low_pressure": _l("low pressure"),
    "discoloured": _l("discoloured/turbid water"),
    "odour": _l("odour"),
    "valve_fault": _l("valve fault"),
    "cover_defect": _l("cover missing/damaged"),
    "planned_work": _l("planned shutdown"),
    "other": _l("something else"),
}
STATUS_NAMES = {"open": _l("under way"), "closed": _l("over")}
PART_NAMES = {
    "danger": _l("danger"),
    "customers_out": _l("number of properties without water"),
    "critical": _l("critical customers without water"),
    "diameter": _l("nominal diameter"),
    "road": _l("road"),
    "spreading": _l("spreading"),
    "hydrants_dry": _l("dry fire hydrants"),
}


def name_kind(kind: str) -> str:
    """Name a kind in the reader's language."""
    return str(KIND_NAMES.get(kind, kind))


def describe_part(part: Mapping[str, Any]) -> str:
    """Say what a part of the score counts; what is not known says so."""
    code, value = str(part["code"]), part["params"].get("value")
    name = str(PART_NAMES.get(code, code))
    if value is None:
        said = _("%(part)s: not known yet", part=name)
    elif code in {"danger", "spreading"}:
        said = _("%(part)s: yes", part=name) if value else _("%(part)s: no", part=name)
    elif code == "diameter":
        said = _("DN %(value)s", value=round(value))
    elif code == "road":
        road = part["params"].get("road") or name
        said = _("%(road)s, %(value)s km/h", road=road, value=round(value))
    else:
        said = _("%(part)s: %(value)s", part=name, value=round(value))
    return str(said)


def incident_as_json(incident: Incident) -> dict[str, Any]:
    """Tell an incident to a machine, its score with the words for each part."""
    told = {
        name: value.isoformat() if isinstance(value, dt.datetime) else value
        for name, value in asdict(incident).items()
    }
    told["score_parts"] = [{**part, "text": describe_part(part)} for part in incident.score_parts]
    return told | {
        "kind_name": name_kind(incident.kind),
        "is_fire_service_due": incident.is_fire_service_due,
    }


class IncidentBody(Body):
    """An incident to open: at a place, or on a pipe."""

    kind: str
    lon: float | None = Field(default=None, ge=-180, le=180, allow_inf_nan=False)
    lat: float | None = Field(default=None, ge=-90, le=90, allow_inf_nan=False)
    pipe: str | None = Field(default=None, max_length=200)
    at_m: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    address: str | None = Field(default=None, max_length=500)
    danger: bool = False
    is_spreading: bool = False
    is_drill: bool = False
    is_separate: bool = False


def read_incident(body: object) -> tuple[IncidentDraft, str | None]:
    """
    Read what to open, and the id of the pipe that it is on.

    Raises
    ------
    FieldopsError
        If a field is missing or wrong.
    """
    read = read_body(IncidentBody, body)
    return IncidentDraft(**read.model_dump(exclude={"pipe"})), read.pipe


class ActionBody(Body):
    """What an action on an incident may carry."""

    base_version: int | None = Field(default=None, ge=0, lt=2**63)
    kind: str | None = Field(default=None, max_length=50)
    address: str | None = Field(default=None, max_length=500)
    danger: bool | None = None
    is_spreading: bool | None = None

    def fields(self) -> dict[str, Any]:
        """Give the fields that somebody wants changed."""
        return self.model_dump(exclude={"base_version"}, exclude_none=True)
