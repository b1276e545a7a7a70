"""What a request about crews may say, and how a crew is told to machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from fieldops.crews.service import Position, PositionBody
from fieldops.errors import FieldopsError

if TYPE_CHECKING:
    import datetime as dt

    from fieldops.crews.queries import Crew


SKILL_NAMES = {
    "valve": _l("close/open valve"),
    "general": _l("emergency repair"),
    "excavation": _l("excavate"),
    "welding_pe": _l("welding and butt fusion (PE)"),
    "leak_detection": _l("leak survey"),
    "traffic_control": _l("traffic diversion"),
    "confined_space": _l("confined-space work"),
}


class Body(BaseModel):
    """What a form or a machine sends; an empty field is a missing one."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    @field_validator("*", mode="before")
    @classmethod
    def _is_empty_missing(cls, value: object) -> object:
        return None if isinstance(value, str) and not value.strip() else value


AnyBody = TypeVar("AnyBody", bound=BaseModel)


def read_body(kind: type[AnyBody], body: object) -> AnyBody:
    """
    Read what a form or a machine sent.

    Raises
    ------
    FieldopsError
        If a field is missing or wrong; it names them.
    """
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        wrong = sorted({str(fault["loc"][0]) for fault in error.errors() if fault["loc"]})
        raise FieldopsError(
            "These fields are missing or wrong: %(fields)s.", fields=", ".join(wrong) or "{}"
        ) from error


def read_position(body: object) -> Position:
    """
    Read where a device says it is.

    Raises
    ------
    FieldopsError
        If a part is missing or senseless.
    """
    try:
        read = PositionBody.model_validate(body)
    except ValidationError as error:
        wrong = sorted({str(fault["loc"][0]) for fault in error.errors() if fault["loc"]})
        raise FieldopsError(
            "The position cannot be read: %(fields)s.", fields=", ".join(wrong) or "{}"
        ) from error
    return Position(**read.model_dump())


def crew_as_json(crew: Crew, now: dt.datetime) -> dict[str, Any]:
    """Tell a crew to a machine; ages are told too, since its clock need not be ours."""
    return {
        "id": crew.id,
        "name": crew.name,
        "contractor": crew.contractor,
        "vehicle": crew.vehicle,
        "phone": crew.phone,
        "depot": None
        if crew.depot is None
        else {
            "id": crew.depot.id,
            "name": crew.depot.name,
            "lon": crew.depot.lon,
            "lat": crew.depot.lat,
        },
        "lon": crew.lon,
        "lat": crew.lat,
        "position_at": crew.position_at and crew.position_at.isoformat(),
        "position_age_s": crew.position_at and round((now - crew.position_at).total_seconds()),
        "position_accuracy_m": crew.position_accuracy_m,
        "is_position_stale": crew.is_position_stale,
        "is_position_doubted": crew.is_position_doubted,
        "skills": {
            skill: until and until.isoformat() for skill, until in crew.skills_until.items()
        },
        "on_shift": crew.on_shift,
        "shift_ends_at": crew.shift_ends_at and crew.shift_ends_at.isoformat(),
        "on_call_rank": crew.on_call_rank,
        "members": [
            {"name": each.name, "phone": each.phone, "is_leader": each.is_leader}
            for each in crew.members
        ],
        "version": crew.version,
    }
