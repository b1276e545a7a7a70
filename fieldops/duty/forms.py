"""What the pages of the desk may send, and the words they use."""

from __future__ import annotations

from typing import Annotated, Literal

from flask_babel import lazy_gettext as _l
from pydantic import Field

from fieldops.crews.forms import Body
from fieldops.incidents.service import KINDS  # noqa: TC001 - pydantic reads the annotations
from fieldops.rosters.forms import LocalMoment  # noqa: TC001 - pydantic reads the annotations

RESULT_NAMES = {
    "coming": _l("is coming"),
    "declined": _l("declined"),
    "no_answer": _l("no answer"),
}
LEVEL_NAMES = {
    1: _l("emergency level I"),
    2: _l("emergency level II"),
    3: _l("emergency level III"),
    4: _l("emergency level IV"),
}
MEASURE_NAMES = {
    "customers": _l("number of properties without water"),
    "diameter": _l("diameter in mm"),
    "hospital": _l("hospitals without water"),
    "road": _l("road of km/h"),
    "forecast": _l("hours until supply is restored (P90)"),
}
REPORT_NAMES = {
    "first": _l("first report"),
    "follow_up": _l("follow-up report"),
    "final": _l("final report"),
}
VALVE_NAMES = {
    "closed_tight": _l("closed"),
    "passing": _l("closed but passing"),
    "will_not_reopen": _l("will not open again"),
}
STATUS_NAMES = {
    "open": _l("under way"),
    "stood_down": _l("stood down; final report due"),
    "closed": _l("over"),
    "restored": _l("supply restored"),
}
Short = Annotated[str, Field(max_length=80)]
Long = Annotated[str, Field(max_length=1000)]


class RemarksBody(Body):
    """Remarks to a signature."""

    remarks: Annotated[str, Field(max_length=4000)] | None = None


class CallBody(Body):
    """An attempt to call a crew out."""

    crew_id: Short
    result: Literal["coming", "declined", "no_answer"]
    spoke_with: Short | None = None
    note: Long | None = None
    incident_id: Short | None = None
    called_at: LocalMoment | None = None


class DrillBody(Body):
    """A drill to begin."""

    kind: Short = "burst"
    pipe: Short


class DrillEndBody(Body):
    """A drill to end."""

    incident: Short


class LevelBody(Body):
    """A level to set, and why."""

    level: int
    note: Long | None = None


class DeclareBody(LevelBody):
    """An emergency to declare."""

    incident: Short


class KnownBody(Body):
    """Somebody of the phone tree who was called."""

    call: int
    note: Long | None = None


class ReportBody(Body):
    """A report as it was sent."""

    text: Annotated[str, Field(max_length=4000)]
    sent_to: Short | None = None


class NoteBody(Body):
    """A reason."""

    note: Long | None = None


class EntryBody(Body):
    """Somebody for the phone tree."""

    level: int
    rank: int = Field(ge=1, le=999)
    post: Short
    name: Short
    phone: Short
    login: Short | None = None
    is_duty_leader: bool = False
    within_min: int = Field(default=15, ge=1, le=1440)


class RuleBody(Body):
    """A rule of a level."""

    level: int
    measure: Literal["customers", "diameter", "hospital", "road", "forecast"]
    threshold: float = Field(gt=0, le=1e7, allow_inf_nan=False)
    least_properties: int = Field(default=0, ge=0)
    incident_kind: Literal[KINDS] | None = None  # type: ignore[valid-type]


class TimesBody(Body):
    """The times of a level."""

    level: int
    duty_leader: Short
    first_within_min: int = Field(ge=1, le=10_080)
    follow_up_every_min: int = Field(ge=1, le=10_080)
    final_within_min: int = Field(ge=1, le=43_200)


class KeyBody(Body):
    """What to take out of force."""

    key: int
