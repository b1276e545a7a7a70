"""What a page may say about calendars and limits."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fieldops.commitments.service import Limit
from fieldops.errors import FieldopsError

if TYPE_CHECKING:
    from collections.abc import Mapping

CALENDAR_NAMES = {"always": _l("round the clock"), "office": _l("office hours")}
TIME_CLASS_NAMES = {"day": _l("by day"), "night": _l("by night")}
KIND_NAMES = {
    "make_safe": _l("make safe"),
    "repair": _l("repair"),
    "reinstate": _l("reinstate"),
    "flush": _l("flush"),
    "check": _l("check on the spot"),
    "routine": _l("maintenance"),
}
SEVERITY_NAMES = {
    "danger": _l("danger"),
    "burst": _l("burst"),
    "leak": _l("leak"),
    "routine": _l("routine"),
}
AREA_NAMES = {"city": _l("city"), "suburb": _l("suburb")}
CLOCK_NAMES = {
    "accept": _l("acknowledge"),
    "arrive": _l("arrive"),
    "stop_water": _l("water stopped"),
    "repair": _l("repaired"),
    "restore": _l("supply restored"),
    "close": _l("resolved"),
}
START_NAMES = {
    "reported": _l("reported"),
    "aware": _l("aware"),
    "located": _l("located"),
    "assigned": _l("assigned"),
    "arrived": _l("arrived"),
}
HOLIDAY_NAMES = {
    "New Year's Day": _l("New Year's Day"),
    "Spring Festival": _l("Spring Festival"),
    "Tomb-sweeping Day": _l("Tomb-sweeping Day"),
    "Labour Day": _l("Labour Day"),
    "Dragon Boat Festival": _l("Dragon Boat Festival"),
    "National Day": _l("National Day"),
    "Mid-autumn Festival": _l("Mid-autumn Festival"),
    "Anti-Fascist 70th Day": _l("Anti-Fascist 70th Day"),
}
"""The names that the library of holidays gives."""


class Body(BaseModel):
    """What a form sends."""

    model_config = ConfigDict(str_strip_whitespace=True)


class DayForm(Body):
    """A day that goes another way than its weekday."""

    day: dt.date
    is_workday: bool
    title: str | None = Field(default=None, max_length=60)


class YearForm(Body):
    """A year to be filled."""

    year: int = Field(ge=2004, le=2200)


class LimitForm(Body):
    """A row of the policy; the limit in minutes."""

    clock_kind: Literal["accept", "arrive", "stop_water", "repair", "restore", "close"]
    limit_min: int = Field(gt=0, le=60 * 24 * 365)
    starts_at: Literal["reported", "aware", "located", "assigned", "arrived"]
    is_external: bool = False
    source: str = Field(max_length=200)
    valid_from: dt.date
    valid_to: dt.date | None = None
    work_kind: Literal["make_safe", "repair", "reinstate", "flush", "check", "routine"] | None = (
        None
    )
    severity: Literal["danger", "burst", "leak", "routine"] | None = None
    diameter_from_mm: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    diameter_to_mm: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    area_class: Literal["city", "suburb"] | None = None
    time_class: Literal["day", "night"] | None = None
    calendar_id: Literal["always", "office"] = "always"
    is_stopped_by_holds: bool = False


class EndForm(Body):
    """The last day of a limit."""

    valid_to: dt.date


AnyBody = TypeVar("AnyBody", bound=Body)


def read(kind: type[AnyBody], values: Mapping[str, Any]) -> AnyBody:
    """
    Read a form; an empty field is a missing one.

    Raises
    ------
    FieldopsError
        If something is missing or wrong; it names it.
    """
    try:
        return kind.model_validate({name: value for name, value in values.items() if value != ""})
    except ValidationError as error:
        wrong = sorted({str(fault["loc"][0]) for fault in error.errors() if fault["loc"]})
        raise FieldopsError(
            "These fields are missing or wrong: %(fields)s.", fields=", ".join(wrong)
        ) from error


def read_limit(values: Mapping[str, Any]) -> Limit:
    """
    Read a row of the policy.

    Raises
    ------
    FieldopsError
        If something is missing or wrong, or an end comes before its beginning.
    """
    form = read(LimitForm, values)
    span = (form.diameter_from_mm, form.diameter_to_mm)
    is_turned = None not in span and span[0] > span[1]  # type: ignore[operator]
    if is_turned or (form.valid_to is not None and form.valid_to < form.valid_from):
        raise FieldopsError("An end comes before its beginning.")
    fields = form.model_dump()
    return Limit(limit_s=fields.pop("limit_min") * 60, **fields)


def read_hours(text: str) -> list[tuple[dt.time, dt.time]]:
    """
    Read spans as 08:30-12:00, 13:30-17:30.

    Raises
    ------
    FieldopsError
        If they are written otherwise.
    """
    spans = []
    for part in re.split(r"[,,;;、\s]+", text.strip()):
        ends = re.split(r"[-~至]", part)
        try:
            opens, closes = (dt.time.fromisoformat(end.strip().zfill(5)) for end in ends)
        except ValueError as error:
            raise FieldopsError("Write hours as 08:30-12:00, 13:30-17:30.") from error
        spans.append((opens, closes))
    return spans
