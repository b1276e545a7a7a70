"""What requests to dispatch may say, and the words for its reasons."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Literal

from flask_babel import format_datetime
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from wtforms import BooleanField, FloatField, HiddenField, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, NumberRange

from fieldops.errors import FieldopsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    from fieldops.dispatch.service import Reason

    Body = TypeVar("Body", bound=BaseModel)


class SendBody(BaseModel):
    """Whom to send; `reason` pins it, `version` is the order's as the dispatcher saw it."""

    model_config = ConfigDict(extra="forbid")

    crew: str = Field(min_length=1, max_length=100)
    second_crew: str | None = Field(default=None, max_length=100)
    reason: str | None = Field(default=None, max_length=500)
    version: int | None = None
    instead_of: str | list[str] = Field(default_factory=list, max_length=40)

    @property
    def left_ids(self) -> list[str]:
        """Name the orders that crews are taken off."""
        return [self.instead_of] if isinstance(self.instead_of, str) else self.instead_of


class PhoneBody(BaseModel):
    """What a crew said on the phone."""

    model_config = ConfigDict(extra="forbid")

    answer: Literal["accepted", "declined", "no_answer"]
    note: str = Field(default="", max_length=500)


class ClosedBody(BaseModel):
    """Whether a road can be driven."""

    model_config = ConfigDict(extra="forbid")

    closed: bool


def read_body(kind: type[Body], body: object) -> Body:
    """
    Read the body of a request.

    Raises
    ------
    FieldopsError
        If it lacks something or says something else; the fields are named.
    """
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        fields = sorted({".".join(map(str, each["loc"])) or "?" for each in error.errors()})
        raise FieldopsError(
            "The request cannot be read: %(fields)s.", fields=", ".join(fields)
        ) from error


SKILL_NAMES = {
    "valve": _l("valves"),
    "general": _l("general work"),
    "excavation": _l("excavation"),
    "welding_pe": _l("welding of PE"),
    "leak_detection": _l("leak survey"),
    "traffic_control": _l("traffic diversion"),
    "confined_space": _l("confined-space work"),
}
PLACES = {
    "job": _l("last job"),
    "depot": _l("depot"),
    "old_position": _l("last known position"),
    "position": _l("position"),
    "unknown": _l("unknown"),
}


def say_skills(words: Iterable[str]) -> str:
    """Name skills in the reader's language."""
    return "、".join(str(SKILL_NAMES.get(word, word)) for word in words)


def _say_moment(text: str | None) -> str:
    return "?" if text is None else str(format_datetime(dt.datetime.fromisoformat(text), "HH:mm"))


def _say_old(params: dict[str, Any]) -> str:
    place = str(PLACES.get(params["place"], params["place"]))
    return str(
        _("position %(minutes)s min old: counted from %(place)s", **(params | {"place": place}))
    )


_SAYINGS: dict[str, Callable[[dict[str, Any]], str]] = {
    "danger": lambda _p: _("danger to people"),
    "customers_unknown": lambda _p: _("customers without water: not known yet"),
    "customers_out": lambda p: _("%(count)s customers without water", **p),
    "critical_out": lambda p: _("%(count)s critical customers", **p),
    "only_one": lambda _p: _("the only crew that can go"),
    "same_time": lambda p: _("%(crew)s would be there at about the same time", **p),
    "elsewhere": lambda p: _("suggested for %(order)s", **p),
    "fastest": lambda p: _("there first; %(crew)s %(minutes)s min later", **p),
    "nearer_kept": lambda p: _("%(crew)s, %(minutes)s min nearer, is needed more elsewhere", **p),
    "divert": lambda p: _("taken off %(order)s", **p),
    "late": lambda p: _("arrives %(minutes)s min after the limit", **p),
    "detour": lambda p: _("a closed road costs %(minutes)s min", **p),
    "straight_line": lambda _p: _("straight line, no street data"),
    "position_old": _say_old,
    "position_unknown": lambda _p: _("never told its position: counted from the depot"),
    "on_call": lambda p: _("on call, number %(rank)s", **p),
    "carries": lambda p: _("has what fits: %(items)s", **p),
    "carries_none": lambda p: _("nothing in the van fits DN%(dn)s", **p),
    "lacks_skills": lambda p: _("lacks or expired: %(skills)s", skills=say_skills(p["skills"])),
    "off_shift": lambda _p: _("off its shift"),
    "shift_ends": lambda p: _("shift ends at %(at)s", at=_say_moment(p["at"])),
    "refused": lambda _p: _("declined or did not answer"),
    "place_unknown": lambda _p: _("nobody knows where it is"),
    "no_way": lambda _p: _("no way leads there"),
    "at_work": lambda p: _("at work on %(order)s for about %(minutes)s min", **p),
    "under_way": lambda p: _("on its way to %(order)s", **p),
    "pinned": lambda p: _("pinned to %(order)s", **p),
}


def say_reason(reason: Reason) -> str:
    """Say a reason in the reader's language."""
    return str(_SAYINGS[reason.code](dict(reason.params)))


def write_reasons(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    """Write reasons for a screen: the code, its values, and the words."""
    return [
        {"code": each.code, "params": dict(each.params), "text": say_reason(each)}
        for each in reasons
    ]


class SettingsForm(FlaskForm):  # type: ignore[misc]
    """What a manager may set of dispatch."""

    version = HiddenField()
    mode = SelectField(
        _l("Mode"),
        choices=[
            SelectChoice("suggest", _l("suggest; a dispatcher sends")),
            SelectChoice("automatic", _l("automatic, within the limits")),
        ],
        description=_l("Danger to people and excavation always need a dispatcher."),
    )
    automatic_max_diameter_mm = FloatField(
        _l("Widest valve that is sent for automatically (DN)"),
        validators=[InputRequired(), NumberRange(0, 4000)],
    )
    diversion_s = FloatField(
        _l("Least gain for which a crew under way is diverted (s)"),
        validators=[InputRequired(), NumberRange(0, 7200)],
        description=_l("From 300 to 900 is usual."),
    )
    offer_s = FloatField(
        _l("A routine job goes to the next crew after (s)"),
        validators=[InputRequired(), NumberRange(30, 7200)],
    )
    phone_after_s = FloatField(
        _l("An unanswered emergency order is phoned after (s)"),
        validators=[InputRequired(), NumberRange(30, 3600)],
    )
    stale_penalty_min = FloatField(
        _l("Minutes added where a position is old"),
        validators=[InputRequired(), NumberRange(0, 240)],
    )
    call_out_min = FloatField(
        _l("Minutes until a crew on call sets out"),
        validators=[InputRequired(), NumberRange(0, 240)],
    )
    straight_factor = FloatField(
        _l("Factor of the straight line, where there is no street data"),
        validators=[InputRequired(), NumberRange(1, 6)],
    )
    is_straight_factor_fixed = BooleanField(_l("Keep this factor; do not learn it from trips"))


SETTINGS = (
    "mode",
    "automatic_max_diameter_mm",
    "diversion_s",
    "offer_s",
    "phone_after_s",
    "stale_penalty_min",
    "call_out_min",
    "straight_factor",
    "is_straight_factor_fixed",
)


def read_settings(form: SettingsForm) -> dict[str, Any]:
    """Give the settings that were sent."""
    return {name: form.data[name] for name in SETTINGS}
