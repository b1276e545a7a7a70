"""
Days drawn by lot: the same seed gives the same day.

The burst day of the benchmark: calls come at random, 2.8 times as many from 8 to 12; 18 % bursts,
42 % leaks, 40 % other work. How long a repair really takes is not told to whoever plans.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from fieldops.errors import FieldopsError
from fieldops.language import TIMEZONE
from fieldops.scenarios import queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from fieldops.scenarios.queries import Breakable

RUSH_HOURS = range(8, 12)
RUSH = 2.8
BURSTS, LEAKS = 0.18, 0.42
BURST_KINDS = ("burst", "burst", "burst", "third_party_damage")
LEAK_KINDS = ("visible_leak", "surfacing", "visible_leak")
ROUTINE_KINDS = ("valve_fault", "low_pressure", "discoloured", "odour", "other")
WORK_MIN = {"burst": (180.0, 0.5), "leak": (90.0, 0.4), "routine": (45.0, 0.3)}
"""Median and spread of the logarithm of the true time of work."""
STUCK, NOT_FOUND, PASSING = 0.08, 0.02, 0.03
"""Valves that do not do what the plan wants of them."""
SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡林"
WORDS = {
    "burst": ("路上冒大水 像是水管爆了", "水柱喷得老高", "家里突然没水了"),
    "third_party_damage": ("施工挖断了水管", "挖机挖到水管了 水很大"),
    "visible_leak": ("人行道上一直在渗水", "路边有水流出来"),
    "surfacing": ("路面冒水", "井边往外冒水"),
    "valve_fault": ("阀门井里漏水", "阀门关不上"),
    "low_pressure": ("水压很小 热水器打不着", "三楼以上水很小"),
    "discoloured": ("水发黄", "自来水浑浊"),
    "odour": ("水有怪味", "水里有漂白粉味"),
    "other": ("水表井盖松动", "想问一下水表的位置"),
}


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody who calls about it, so many minutes after it happened."""

    after_min: float
    name: str
    phone: str
    text: str
    along_m: float
    """How far from the break the caller is, along the pipe."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that breaks; `work_min` is what nobody knows before."""

    number: int
    at: dt.datetime
    kind: str
    pipe_key: int
    pipe_id: str
    at_m: float
    work_min: float
    needs_outage: bool
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What day is wanted."""

    seed: int
    start: dt.datetime
    hours: float = 24.0
    jobs_per_hour: float = 4.0
    kinds: Sequence[str] = field(default=())
    """Where given, just these, evenly over the time; for a demo."""
    is_quiet: bool = False
    """Nothing happens at all."""


def draw_day(session: Session, wish: Wish) -> list[Happening]:
    """
    Draw what happens in a day, in its order.

    Raises
    ------
    FieldopsError
        If there is no network in which anything could break.
    """
    pipes = queries.fetch_breakable(session)
    if not pipes:
        raise FieldopsError("There is no network yet: import one first.")
    if wish.is_quiet:
        return []
    lot = Random(f"day {wish.seed}")  # noqa: S311 - an invented day, no secret
    if wish.kinds:
        gap = wish.hours / len(wish.kinds)
        moments = [(gap * at, kind) for at, kind in enumerate(wish.kinds)]
    else:
        moments = [(hour, _draw_kind(lot)) for hour in _draw_hours(lot, wish)]
    ends = list(itertools.accumulate(pipe.length_m for pipe in pipes))
    fed = list(itertools.accumulate(pipe.customers + 0.01 for pipe in pipes))
    return [
        _draw_one(lot, number, wish.start + dt.timedelta(hours=hour), kind, pipes, ends, fed)
        for number, (hour, kind) in enumerate(moments, start=1)
    ]


def _draw_hours(lot: Random, wish: Wish) -> list[float]:
    """Draw moments by thinning, in hours from the start; over a whole day the mean is as wished."""
    rush_rate = wish.jobs_per_hour * RUSH * 24 / (24 + (RUSH - 1) * len(RUSH_HOURS))
    found: list[float] = []
    hour = 0.0
    while True:
        hour += lot.expovariate(rush_rate)
        if hour >= wish.hours:
            return found
        local = (wish.start + dt.timedelta(hours=hour)).astimezone(ZoneInfo(TIMEZONE))
        share = 1.0 if local.hour in RUSH_HOURS else 1.0 / RUSH
        if lot.random() < share:
            found.append(hour)


def _draw_kind(lot: Random) -> str:
    drawn = lot.random()
    if drawn < BURSTS:
        return lot.choice(BURST_KINDS)
    return lot.choice(LEAK_KINDS if drawn < BURSTS + LEAKS else ROUTINE_KINDS)


def class_of(kind: str) -> str:
    """Name how grave a kind is: burst, leak or routine."""
    if kind in BURST_KINDS:
        return "burst"
    return "leak" if kind in LEAK_KINDS else "routine"


def _draw_one(
    lot: Random,
    number: int,
    at: dt.datetime,
    kind: str,
    pipes: Sequence[Breakable],
    ends: Sequence[float],
    fed: Sequence[float],
) -> Happening:
    grave = class_of(kind)
    # What breaks goes by length; who calls about a tap lives somewhere.
    pipe = lot.choices(pipes, cum_weights=fed if grave == "routine" else ends)[0]
    median_min, spread = WORK_MIN[grave]
    callers = lot.choice((1, 2, 3)) if grave == "burst" else 1
    return Happening(
        number=number,
        at=at.replace(microsecond=0),
        kind=kind,
        pipe_key=pipe.key,
        pipe_id=pipe.id,
        at_m=round(lot.uniform(0.1, 0.9) * pipe.length_m, 1),
        work_min=median_min * math.exp(lot.gauss(0.0, spread)),
        needs_outage=grave == "burst" or (grave == "leak" and lot.random() < 0.35),
        calls=tuple(_draw_call(lot, kind, turn) for turn in range(callers)),
    )


def _draw_call(lot: Random, kind: str, turn: int) -> Call:
    return Call(
        after_min=round(lot.uniform(0.5, 3.0) + turn * lot.uniform(1.0, 8.0), 2),
        name=f"{lot.choice(SURNAMES)}{lot.choice(('女士', '先生'))}",
        phone=f"138{lot.randrange(10**8):08d}",
        text=lot.choice(WORDS[kind]),
        along_m=round(lot.uniform(-15.0, 15.0), 1),
    )


def find_place(session: Session, happening: Happening, along_m: float = 0.0) -> tuple[float, float]:
    """Give where it happened, or where a caller beside it is."""
    return queries.fetch_place(session, happening.pipe_key, max(happening.at_m + along_m, 0.0))


def is_untouched(session: Session) -> bool:
    """Tell whether nothing has ever been reported here."""
    return not queries.is_anything_open(session)


def draw_valve(seed: int, valve: str) -> str:
    """Draw what a crew finds at a valve that it is to close; the same valve, the same finding."""
    drawn = Random(f"valve {seed} {valve}").random()  # noqa: S311
    if drawn < STUCK:
        return "will_not_close"
    if drawn < STUCK + NOT_FOUND:
        return "not_found"
    return "passing" if drawn < STUCK + NOT_FOUND + PASSING else "closed_tight"
