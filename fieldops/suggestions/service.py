"""Who should go where now and why: every part of the answer comes from the matrix that decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldops.candidates.service import Picture, current_picture
from fieldops.errors import ConflictError
from fieldops.street_times.service import find_detours_min
from fieldops.work_orders import service as work_orders
from gis.assignment import Hindrance, Ranking, explain

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from fieldops.candidates.service import Job
    from fieldops.stock.service import Carried
    from gis.assignment import Candidate

PARTS = ("waiting", "lateness", "diversion", "absence", "behind")


@dataclass(frozen=True, slots=True)
class Reason:
    """Something to be said of a suggestion or a candidate, in words of the page."""

    code: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerUp:
    """Whoever would go if the suggested crew did not."""

    crew_id: str
    crew_name: str
    eta_min: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """
    A crew that should be sent to an order now, and why.

    `second_crew_id` for a job of two crews; `divert_from` the order that the first is taken off,
    `diverts` those that they all are;
    `carries` names what fits in its van; None where nobody can know what would fit.
    """

    order_id: str
    crew_id: str
    crew_name: str
    second_crew_id: str | None
    eta_min: float
    is_straight_line: bool
    divert_from: str | None
    diverts: tuple[str, ...]
    runner_up: RunnerUp | None
    carries: tuple[str, ...] | None
    is_emergency: bool
    reasons: tuple[Reason, ...]
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateView:
    """A crew for an order: its way, its cost in customer-minutes, and what stands against it."""

    crew_id: str
    crew_name: str
    contractor: str | None
    rank: int
    is_chosen: bool
    can_go: bool
    travel_min: float | None
    eta_min: float | None
    is_straight_line: bool
    weight: float
    slack_min: float | None
    diversion_min: float
    cost: float | None
    parts: Mapping[str, float]
    """Of the cost, in customer-minutes: waiting, lateness, diversion, absence, behind."""
    place: str
    position_at: dt.datetime | None
    carries: tuple[str, ...] | None
    against: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """All that dispatch has to say at a moment."""

    at: dt.datetime
    position: int
    mode: str
    suggestions: list[Suggestion]
    queues: dict[str, list[str]]
    """For each crew at work, the orders expected after that."""
    short: dict[str, int]
    """For each order that nobody can be sent to, how many crews it lacks."""
    blocked: dict[str, str]
    """For each order that cannot begin yet, the one before it; empty for a date."""


def suggest(session: Session, now: dt.datetime) -> list[Suggestion]:
    """Say who should be sent where now, the heaviest job first."""
    return propose(session, now).suggestions


def propose(session: Session, now: dt.datetime) -> Proposal:
    """Say who should be sent where, what comes after that, and what has to wait."""
    picture = current_picture(session, now)
    kept = picture.said.get("proposal")
    if kept is None:
        kept = picture.said["proposal"] = _propose(session, picture)
    found: Proposal = kept
    return found


def _propose(session: Session, picture: Picture) -> Proposal:
    sent: dict[int, list[int]] = {}
    for crew, job in enumerate(picture.decision.crew_job.tolist()):
        if job >= 0:
            sent.setdefault(job, []).append(crew)
    new = [
        job for job, rows in sent.items() if any(picture.board.current[row] != job for row in rows)
    ]
    detours_min = _find_detours(session, picture, {job: sent[job] for job in new})
    ranking = Ranking.of(picture.board, picture.decision)
    heaviest = sorted(new, key=lambda job: -picture.board.weight[job])
    return Proposal(
        at=picture.at,
        position=picture.position,
        mode=picture.settings.mode,
        suggestions=[
            _suggest_one(session, picture, ranking, job, sent[job], detours_min) for job in heaviest
        ],
        queues={
            picture.crews[row].id: [picture.jobs[job].id for job in queue]
            for row, queue in enumerate(picture.decision.queues)
            if queue
        },
        short={
            job.id: job.crews_needed - len(sent.get(row, []))
            for row, job in enumerate(picture.jobs)
            if len(sent.get(row, [])) < job.crews_needed
        },
        blocked=picture.blocked,
    )


def _runner_up(picture: Picture, ranking: Ranking, job_row: int) -> RunnerUp | None:
    """Name whoever costs least of those that were not chosen, as the panel ranks them."""
    row = ranking.runner_up(job_row)
    if row is None:
        return None
    crew = picture.crews[row]
    return RunnerUp(crew_id=crew.id, crew_name=crew.name, eta_min=_eta_min(picture, row, job_row))


def _left_by(picture: Picture, job_row: int, row: int) -> str | None:
    """Name the order that a crew is taken off."""
    current = int(picture.board.current[row])
    return None if current in {-1, job_row} else picture.jobs[current].id


def _suggest_one(
    session: Session,
    picture: Picture,
    ranking: Ranking,
    job_row: int,
    rows: list[int],
    detours_min: Mapping[tuple[int, int], float],
) -> Suggestion:
    job = picture.jobs[job_row]
    rows = _lead_first(picture, job_row, rows)
    first = rows[0]
    crew = picture.crews[first]
    runner_up = _runner_up(picture, ranking, job_row)
    divert_from = _left_by(picture, job_row, first)
    diverts = {_left_by(picture, job_row, row) for row in rows} - {None}
    carries = _carries(picture.carried_to(session, job), job, crew.id)
    return Suggestion(
        order_id=job.id,
        crew_id=crew.id,
        crew_name=crew.name,
        second_crew_id=picture.crews[rows[1]].id if len(rows) > 1 else None,
        eta_min=_eta_min(picture, first, job_row),
        is_straight_line=bool(picture.travel.is_straight[first, job_row]),
        divert_from=divert_from,
        diverts=tuple(sorted(filter(None, diverts))),
        runner_up=runner_up,
        carries=carries,
        is_emergency=job.is_emergency,
        reasons=(
            *_reasons_of_job(job),
            *_reasons_of_crew(picture, detours_min, first, job_row, runner_up, divert_from),
            *_reasons_of_stock(job, carries),
        ),
        version=job.version,
    )


def _lead_first(picture: Picture, job_row: int, rows: list[int]) -> list[int]:
    """Put first the crew that is on its way already; else whoever is there sooner."""
    board = picture.board
    return sorted(
        rows, key=lambda row: (board.current[row] != job_row, board.travel_s[row, job_row])
    )


def _find_detours(
    session: Session, picture: Picture, sent: Mapping[int, list[int]]
) -> dict[tuple[int, int], float]:
    """Find what closed roads cost those who are to be sent, by rows of crew and job."""
    pairs = [(_lead_first(picture, job, rows)[0], job) for job, rows in sent.items()]
    trips = [
        (
            (picture.spots[row].lon, picture.spots[row].lat),
            (picture.jobs[job].lon, picture.jobs[job].lat),
        )
        for row, job in pairs
    ]
    return dict(zip(pairs, find_detours_min(session, trips), strict=True))


def _eta_min(picture: Picture, row: int, job_row: int) -> float:
    board = picture.board
    return float(board.free_in_s[row] + board.travel_s[row, job_row]) / 60


def _carries(carried: Sequence[Carried], job: Job, crew_id: str) -> tuple[str, ...] | None:
    """Name what fits in the crew's van; None where it is not known what would fit."""
    if job.kind != "repair" or job.diameter_mm is None:
        return None
    return tuple(each.item.name for each in carried if each.place.crew_id == crew_id)


def _reasons_of_job(job: Job) -> list[Reason]:
    reasons = []
    if job.severity == "danger":
        reasons.append(Reason("danger", {}))
    if job.customers_out is None:
        reasons.append(Reason("customers_unknown", {}))
    elif job.customers_out:
        reasons.append(Reason("customers_out", {"count": job.customers_out}))
    if job.critical_out:
        reasons.append(Reason("critical_out", {"count": job.critical_out}))
    return reasons


def _reasons_of_crew(
    picture: Picture,
    detours_min: Mapping[tuple[int, int], float],
    row: int,
    job_row: int,
    runner_up: RunnerUp | None,
    divert_from: str | None,
) -> list[Reason]:
    eta_min = _eta_min(picture, row, job_row)
    reasons = []
    if runner_up is None:
        reasons.append(Reason("only_one", {}))
    elif not round(runner_up.eta_min - eta_min):
        reasons.append(Reason("same_time", {"crew": runner_up.crew_name}))
    elif runner_up.eta_min >= eta_min:
        later = round(runner_up.eta_min - eta_min)
        reasons.append(Reason("fastest", {"minutes": later, "crew": runner_up.crew_name}))
    else:
        sooner = round(eta_min - runner_up.eta_min)
        reasons.append(Reason("nearer_kept", {"minutes": sooner, "crew": runner_up.crew_name}))
    if divert_from:
        reasons.append(Reason("divert", {"order": divert_from}))
    slack_min = float(picture.board.due_s[job_row]) / 60 - eta_min
    if slack_min < 0:
        reasons.append(Reason("late", {"minutes": round(-slack_min)}))
    detour_min = detours_min.get((row, job_row), 0.0)
    if round(detour_min) > 0:
        reasons.append(Reason("detour", {"minutes": round(detour_min)}))
    return reasons + _doubts(picture, row, job_row)


def _doubts(picture: Picture, row: int, job_row: int) -> list[Reason]:
    """Say how far the travel time can be believed."""
    reasons = []
    crew, spot = picture.crews[row], picture.spots[row]
    if picture.travel.is_straight[row, job_row]:
        reasons.append(Reason("straight_line", {}))
    if spot.penalty_min:
        told = crew.position_at
        minutes = None if told is None else round((picture.at - told).total_seconds() / 60)
        code = "position_unknown" if minutes is None else "position_old"
        reasons.append(Reason(code, {"minutes": minutes, "place": spot.source}))
    if not crew.on_shift:
        reasons.append(Reason("on_call", {"rank": crew.on_call_rank}))
    return reasons


def _reasons_of_stock(job: Job, carries: tuple[str, ...] | None) -> list[Reason]:
    if carries:
        return [Reason("carries", {"items": "、".join(carries[:2])})]
    if carries is not None:
        return [Reason("carries_none", {"dn": round(job.diameter_mm or 0)})]
    return []


def why(session: Session, order_id: str, now: dt.datetime) -> list[CandidateView]:
    """
    Show every crew for an order, from the same matrix that made the suggestion, the best first.

    Raises
    ------
    ConflictError
        If the order needs nobody to come: crews are there, it is held, done, or must wait.
    """
    picture = current_picture(session, now)
    row = picture.job_row(order_id)
    if row is None:
        order = work_orders.find_order(session, order_id)
        if order.id in picture.blocked:
            raise ConflictError("The work order %(order)s cannot begin yet.", order=order.id)
        raise ConflictError("Nobody has to be sent to %(order)s any more.", order=order.id)
    job = picture.jobs[row]
    carried = picture.carried_to(session, job)
    return [
        _view(picture, row, candidate, _carries(carried, job, picture.crews[candidate.crew].id))
        for candidate in explain(picture.board, picture.decision, row)
    ]


def _view(
    picture: Picture, job_row: int, candidate: Candidate, carries: tuple[str, ...] | None
) -> CandidateView:
    row, crew = candidate.crew, picture.crews[candidate.crew]
    return CandidateView(
        crew_id=crew.id,
        crew_name=crew.name,
        contractor=crew.contractor,
        rank=candidate.rank,
        is_chosen=candidate.is_chosen,
        can_go=candidate.hindrance in {Hindrance.NONE, Hindrance.AT_WORK},
        travel_min=_minutes(candidate.travel_s),
        eta_min=_minutes(candidate.arrive_s),
        is_straight_line=bool(picture.travel.is_straight[row, job_row]),
        weight=candidate.weight,
        slack_min=_minutes(candidate.slack_s),
        diversion_min=candidate.diversion_s / 60,
        cost=_minutes(candidate.cost),
        parts={
            name: minutes
            for name in PARTS
            if (minutes := _minutes(getattr(candidate, name))) is not None
        },
        place=picture.spots[row].source,
        position_at=crew.position_at,
        carries=carries,
        against=(*_hindrances(picture, row, job_row), *_doubts(picture, row, job_row)),
    )


def _minutes(seconds: float) -> float | None:
    return seconds / 60 if np.isfinite(seconds) else None


def _hindrances(picture: Picture, row: int, job_row: int) -> list[Reason]:
    """Say what stands against sending a crew."""
    crew, job, board = picture.crews[row], picture.jobs[job_row], picture.board
    current, found = int(board.current[row]), []
    if not picture.has_skills[row, job_row]:
        missing = sorted(set(job.skills) - crew.skills)
        found.append(Reason("lacks_skills", {"skills": missing}))
    if not picture.is_on_duty[row, job_row]:
        found.append(Reason("off_shift", {}))
    elif not picture.is_in_time[row, job_row]:
        ends_at = crew.shift_ends_at
        found.append(Reason("shift_ends", {"at": ends_at and ends_at.isoformat()}))
    if (job.key, crew.key) in picture.refused:
        found.append(Reason("refused", {}))
    if not picture.spots[row].is_known:
        found.append(Reason("place_unknown", {}))
    elif not np.isfinite(board.travel_s[row, job_row]):
        found.append(Reason("no_way", {}))
    if row in picture.present:
        minutes = round(float(board.free_in_s[row]) / 60)
        found.append(Reason("at_work", {"order": picture.present[row].id, "minutes": minutes}))
    if current not in {-1, job_row}:
        code = "under_way" if board.is_divertible[row] else "pinned"
        found.append(Reason(code, {"order": picture.jobs[current].id}))
    decided = int(picture.decision.crew_job[row])
    if decided not in {-1, job_row, current}:
        found.append(Reason("elsewhere", {"order": picture.jobs[decided].id}))
    return found
