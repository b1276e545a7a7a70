"""What the pages of crews may send."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from fieldops.crews.forms import Body
from fieldops.language import TIMEZONE

Skill = Literal[
    "valve",
    "general",
    "excavation",
    "welding_pe",
    "leak_detection",
    "traffic_control",
    "confined_space",
]


def _as_local(moment: dt.datetime) -> dt.datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(TIMEZONE))


LocalMoment = Annotated[dt.datetime, AfterValidator(_as_local)]
"""A moment as a browser's field has it: without a zone, the utility's own is meant."""
Name = Annotated[str, Field(max_length=80)]


class FactsBody(Body):
    """Facts of a crew."""

    name: Name
    contractor: Name | None = None
    vehicle: Name | None = None
    phone: Name | None = None
    depot_key: int | None = None
    is_active: bool = False
    base_version: int


class NewCrewBody(Body):
    """A crew to add."""

    id: str = Field(max_length=20, pattern=r"^[^\s/]+$")
    name: Name
    contractor: Name | None = None
    vehicle: Name | None = None
    phone: Name | None = None
    depot_key: int | None = None


class MemberBody(Body):
    """Somebody to join."""

    name: Name
    login: Name | None = None
    phone: Name | None = None
    is_leader: bool = False


class SkillBody(Body):
    """A skill to add."""

    skill: Skill
    valid_until: dt.date | None = None
    member_key: int | None = None


class EquipmentBody(Body):
    """A piece of equipment to add."""

    name: Name
    valid_until: dt.date | None = None
    for_skill: Skill | None = None


class ShiftBody(Body):
    """A time to plan."""

    kind: Literal["shift", "on_call"]
    starts_at: LocalMoment
    ends_at: LocalMoment
    rank: int | None = Field(default=None, ge=1, le=99)
    days: int = Field(default=1, ge=1, le=62)


class RemovalBody(Body):
    """What to take away."""

    kind: Literal["member", "skill", "equipment", "shift"]
    key: int


class PolicyBody(Body):
    """The utility's own limits."""

    position_stale_min: int = Field(ge=1, le=1440)
    clock_ahead_s: int = Field(ge=0, le=86_400)
    expiring_days: int = Field(ge=0, le=365)
