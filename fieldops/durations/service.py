"""How long repairs take: what was forecast, what came, and the model for the next one."""

from __future__ import annotations

import csv
import datetime as dt
import io
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldops.durations import queries
from fieldops.durations.queries import MOMENTS, Repair
from fieldops.errors import FieldopsError
from gis.restoration import (
    DurationModel,
    ForecastScore,
    Quantiles,
    learn_in_turn,
    score_forecasts,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from fieldops.events.service import Event

LEARNED_FROM = 2000
"""The last so many repairs; older ones would weigh next to nothing."""
SHOWN = 40
KEPT = "durations.model"
LONGEST_FILE_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class ToldAndCame:
    """A repair that is over beside what was forecast when it was reported, in hours."""

    repair: Repair
    told: Quantiles

    @property
    def is_inside(self) -> bool:
        """Whether it ended within the interval told."""
        return self.told.p10 <= self.repair.hours <= self.told.p90


@dataclass(frozen=True, slots=True)
class Stage:
    """How long one stage took, in hours, over the repairs that recorded both its ends."""

    begins: str
    ends: str
    count: int
    hours: Quantiles | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """All that the page tells; scores are None while there is no repair."""

    count: int
    next_one: Quantiles
    own: ForecastScore | None
    prior: ForecastScore | None
    stages: list[Stage]
    last: list[ToldAndCame]


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file: rows added, rows that were there, rows that cannot be read."""

    added: int
    known: int
    faults: list[tuple[int, str]]


def current_model(session: Session) -> DurationModel:
    """Give the model for the next repair, from the utility's own history and the prior."""
    newest = queries.fetch_newest(session)
    kept = session.info.setdefault("kept", {})
    if kept.get(KEPT, (None, None))[0] != newest:
        repairs = queries.fetch_repairs(session, LEARNED_FROM) if newest[0] else []
        kept[KEPT] = newest, _learn(repairs)[0]
    model: DurationModel = kept[KEPT][1]
    return model


def describe_learning(session: Session) -> Learned:
    """Hold every forecast against what came."""
    repairs = queries.fetch_repairs(session, LEARNED_FROM)
    model, forecasts = _learn(repairs)
    hours = np.array([repair.hours for repair in repairs])
    prior = DurationModel().forecast()
    fixed = np.tile([prior.p10, prior.p50, prior.p90], (len(repairs), 1))
    return Learned(
        count=len(repairs),
        next_one=model.forecast(),
        own=score_forecasts(forecasts, hours) if repairs else None,
        prior=score_forecasts(fixed, hours) if repairs else None,
        stages=[_stage(repairs, begins, ends) for begins, ends in pairwise(MOMENTS)],
        last=[
            ToldAndCame(repair, Quantiles(*told))
            for repair, told in zip(repairs[-SHOWN:], forecasts[-SHOWN:].tolist(), strict=True)
        ][::-1],
    )


def _learn(repairs: Sequence[Repair]) -> tuple[DurationModel, NDArray[np.float64]]:
    begun = np.array([repair.reported_at.timestamp() / 3600 for repair in repairs])
    ended = np.array([repair.restored_at.timestamp() / 3600 for repair in repairs])
    return learn_in_turn(begun, ended)


def _stage(repairs: Sequence[Repair], begins: str, ends: str) -> Stage:
    both = [(getattr(repair, begins), getattr(repair, ends)) for repair in repairs]
    hours = [(b - a).total_seconds() / 3600 for a, b in both if a and b and b >= a]
    found = Quantiles(*np.quantile(hours, (0.1, 0.5, 0.9)).tolist()) if hours else None
    return Stage(begins, ends, len(hours), found)


def import_repairs(session: Session, data: bytes, zone: dt.tzinfo) -> Imported:
    """
    Add the repairs of a CSV with reported_at, restored_at and, if known, the stages between.

    Moments without an offset are on the clock of `zone`.

    Raises
    ------
    FieldopsError
        If it is no CSV with those two columns.
    """
    if len(data) > LONGEST_FILE_BYTES:
        raise FieldopsError("The file is larger than %(mb)s MB.", mb=LONGEST_FILE_BYTES // 10**6)
    rows = _read_rows(data)
    repairs, faults = [], []
    for number, row in rows:
        try:
            repairs.append(_read_repair(row, zone))
        except ValueError as error:
            faults.append((number, str(error)))
    added = queries.insert_repairs(session, repairs)
    return Imported(added, len(repairs) - added, faults)


def _read_rows(data: bytes) -> list[tuple[int, dict[str, str]]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("gb18030", errors="replace")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise FieldopsError(
            "Line %(line)s of the file cannot be read: %(reason)s.",
            line=reader.line_num,
            reason=str(error),
        ) from error
    for name in ("reported_at", "restored_at"):
        if name not in (reader.fieldnames or ()):
            raise FieldopsError(
                "The file has no column %(name)s. It has: %(columns)s.",
                name=name,
                columns=", ".join(reader.fieldnames or ()) or "-",
            )
    return rows


def _read_repair(row: dict[str, str], zone: dt.tzinfo) -> Repair:
    moments: dict[str, Any] = {name: _read_moment(row.get(name), zone) for name in MOMENTS}
    reported, restored = moments.pop("reported_at"), moments.pop("restored_at")
    if reported is None or restored is None:
        raise ValueError("reported_at, restored_at")
    if restored <= reported:
        raise ValueError("restored_at <= reported_at")
    return replace(Repair(reported_at=reported, restored_at=restored), **moments)


def _read_moment(text: str | None, zone: dt.tzinfo) -> dt.datetime | None:
    if not text or not text.strip():
        return None
    moment = dt.datetime.fromisoformat(text.strip().replace("/", "-"))
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def remember_repair(session: Session, event: Event) -> None:
    """Learn from an outage of a burst or leak when all its customers have water again."""
    body = event.body
    if body.get("is_planned") or body.get("is_drill"):
        return
    stages = body.get("stages") or {}
    moments: dict[str, Any] = {
        name: dt.datetime.fromisoformat(stages[stage])
        for stage, name in STAGES.items()
        if stages.get(stage)
    }
    reported, restored = moments.pop("reported_at", None), moments.pop("restored_at", None)
    if reported is None or restored is None or restored <= reported:
        return
    repair = Repair(
        reported_at=reported,
        restored_at=restored,
        source="outage",
        outage_key=event.subject_key,
    )
    queries.insert_repairs(session, [replace(repair, **moments)])


STAGES = {
    "aware": "reported_at",
    "dispatched": "dispatched_at",
    "on_site": "on_site_at",
    "water_stopped": "water_stopped_at",
    "repaired": "repaired_at",
    "restored": "restored_at",
}
"""What an outage calls its stages, and what a record calls their moments."""

HANDLERS = {"outage.closed": remember_repair}
