"""
Crews and open jobs at one moment, and who should go where.

Drawn when somebody reads it, and kept until something happens that matters or a minute passes:
a crew that posts its position never waits for it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from fieldops.candidates import queries
from fieldops.candidates.queries import Job, Settings, fetch_settings, update_settings
from fieldops.crews.service import list_crews
from fieldops.events.queries import DRAFTS, fetch_head
from fieldops.offers.service import list_refused
from fieldops.stock.service import who_carries
from fieldops.street_times.service import Travel, find_travel, straight_minutes
from gis.assignment import Board, Calls, Decision, decide, job_weight, late_weight

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray
    from sqlalchemy.orm import Session

    from fieldops.crews.service import Crew
    from fieldops.stock.service import Carried

__all__ = [
    "Job",
    "Picture",
    "Settings",
    "Spot",
    "current_picture",
    "fetch_settings",
    "update_settings",
]

MANY_EVENTS = 200
"""More than this has happened: no use in asking of each whether it matters."""
FORGOTTEN_S = 7200.0
"""After so long a crew is no longer looked for where it was last, but at its depot."""
RANK_S = 1.0
"""Of crews on call that would be there together, the one first in order goes."""
FAR_M = 150.0
"""A crew that has moved less is where it was, as far as dispatch can tell."""
MATTERING = ("work_order.", "crew.", "outage.", "road.", "incident.", "dispatch.", "stock.")
IDLE_KINDS = {"work_order.phone_asked", "work_order.phone_answered", "crew.position_kept"}
LEAD_S = 1800.0
"""Nobody is sent to a job that cannot begin sooner than this; it waits in the queues' shadow."""
LEAST_LEFT_S = 600.0
"""A crew that has worked longer than expected is expected to need so long still."""
UNSENT_S = 1800.0
"""How long an earlier stage without a crew takes to begin, at a guess."""
MOST_BETWEEN = 200
"""Among more jobs than this the ways between them take longer than the rest of the decision."""
PAST_DAYS, PAST_PLACES, LEAST_PAST = 28.0, 60, 30
"""So far back goes what is expected to be reported next, and so much must have been reported."""
USUAL_WAIT_S = 1800.0
"""From a report until a crew is there, for kinds to which none has come yet; a guess."""
DRILL_WEIGHT = 1e-12
"""A drill never takes a crew from a real job."""


@dataclass(frozen=True, slots=True)
class Spot:
    """
    Where a crew is taken to be.

    `source`: position, job (where it is at work or was last), depot, old_position or unknown.
    """

    lon: float
    lat: float
    source: str
    free_in_s: float = 0.0
    penalty_min: float = 0.0

    @property
    def is_known(self) -> bool:
        """Whether there is any place to begin from."""
        return self.source != "unknown"


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """
    Crews and the jobs that still need crews to arrive, in the order of the board's rows.

    `blocked` names what jobs wait for that are not on the board, by id: an order, or "" a date;
    `present` the order at which a crew works, by its row.
    """

    at: dt.datetime
    position: int
    settings: Settings
    crews: list[Crew]
    spots: list[Spot]
    jobs: list[Job]
    blocked: dict[str, str]
    present: dict[int, Job]
    travel: Travel
    has_skills: NDArray[np.bool_]
    is_on_duty: NDArray[np.bool_]
    is_in_time: NDArray[np.bool_]
    refused: set[tuple[int, int]]
    board: Board
    decision: Decision
    carriers: dict[tuple[float | None, str | None], list[Carried]] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)
    """What was made of it so far, that need not be made again."""

    def job_row(self, order_id: str) -> int | None:
        """Give the row of an order, None if it needs nobody to come."""
        rows = (row for row, job in enumerate(self.jobs) if job.id == order_id)
        return next(rows, None)

    def carried_to(self, session: Session, job: Job) -> list[Carried]:
        """Give who carries what fits the job's pipe; nothing where its diameter is not known."""
        if job.kind != "repair" or job.diameter_mm is None:
            return []
        pipe = (job.diameter_mm, job.material)
        if pipe not in self.carriers:
            self.carriers[pipe] = who_carries(session, pipe[0], None, pipe[1])
        return self.carriers[pipe]


def current_picture(session: Session, now: dt.datetime) -> Picture:
    """Give the picture of this moment, drawn anew only if something has happened that matters."""
    if session.info.get(DRAFTS):
        # What this transaction does itself has no position yet, and nobody else may see it.
        return draw_picture(session, now, -1)
    kept = session.info["kept"]
    with kept.setdefault("dispatch_lock", Lock()):
        stored: Picture | None = kept.get("dispatch_picture")
        head = fetch_head(session)
        if stored is None or not _is_current(session, stored, head, now):
            stored = kept["dispatch_picture"] = draw_picture(session, now, head)
    return stored


def _is_current(session: Session, stored: Picture, head: int, now: dt.datetime) -> bool:
    if stored.at.replace(second=0, microsecond=0) != now.replace(second=0, microsecond=0):
        return False
    if stored.position == head:
        return True
    happened = queries.fetch_events_since(session, stored.position, MANY_EVENTS)
    spots = {crew.id: spot for crew, spot in zip(stored.crews, stored.spots, strict=True)}
    return len(happened) < MANY_EVENTS and not any(
        _matters(kind, body, spots) for _, kind, body in happened
    )


def _matters(kind: str, body: dict[str, Any], spots: dict[str, Spot]) -> bool:
    if kind in IDLE_KINDS or not kind.startswith(MATTERING):
        return False
    spot = spots.get(body.get("id", ""))
    if kind != "crew.moved" or spot is None:
        return True
    if spot.source == "job":
        return False
    moved_min = straight_minutes([(spot.lon, spot.lat)], [(body["lon"], body["lat"])], 1.0)
    # Half a kilometre a minute is what straight_minutes takes a street to be driven at.
    return spot.source != "position" or float(moved_min[0, 0]) * 500.0 > FAR_M


def draw_picture(session: Session, now: dt.datetime, position: int) -> Picture:
    """Look at every crew and every open job, and decide."""
    settings = fetch_settings(session)
    crews = list_crews(session, now)
    everything = {job.key: job for job in queries.fetch_jobs(session)}
    jobs, blocked = _jobs_for_now(everything, now)
    present = _present_jobs(crews, everything.values())
    spots = [
        _spot_of(crew, present.get(row), settings, now, everything.values())
        for row, crew in enumerate(crews)
    ]
    goals = [(job.lon, job.lat) for job in jobs]
    starts = [(spot.lon, spot.lat) for spot in spots]
    travel = find_travel(session, starts, goals, settings.straight_factor)
    known = np.array([spot.is_known for spot in spots], dtype=np.bool_)
    penalty_min = np.array([spot.penalty_min for spot in spots], dtype=np.float64)
    late_s = penalty_min * 60 + _call_out_s(crews, settings)
    travel_s = np.where(known[:, None], travel.minutes * 60 + late_s[:, None], np.inf)
    free_in_s = np.array([spot.free_in_s for spot in spots], dtype=np.float64)
    has_skills = _has_skills(crews, jobs)
    is_on_duty = _is_on_duty(crews, jobs)
    is_in_time = _is_in_time(crews, jobs, free_in_s[:, None] + travel_s, now)
    refused = list_refused(session, [job.key for job in jobs]) if jobs else set()
    bonds = _bonds(crews, jobs)
    is_fit = has_skills & is_on_duty & is_in_time & ~_is_refused(crews, jobs, refused)
    # Whoever is ordered there stays a candidate, though the shift may end meanwhile.
    is_fit |= bonds["current"][:, None] == np.arange(len(jobs))
    board = Board(
        travel_s=travel_s,
        weight=np.array([_weight_of(job, now) for job in jobs], dtype=np.float64),
        is_fit=is_fit,
        crews_needed=np.array([job.crews_needed for job in jobs], dtype=np.int32),
        release_s=np.array([_release_s(job, everything, now) for job in jobs], dtype=np.float64),
        work_s=np.array([job.expected_work_min * 60 for job in jobs], dtype=np.float64),
        due_s=np.array([_due_s(job, now) for job in jobs], dtype=np.float64),
        free_in_s=free_in_s,
        between_s=_between_s(session, goals, settings),
        late=np.array([_late_of(job) for job in jobs], dtype=np.float64),
        calls=_expected_calls(session, crews, starts, settings, now),
        diversion_s=settings.diversion_s,
        **bonds,
    )
    return Picture(
        at=now,
        position=position,
        settings=settings,
        crews=crews,
        spots=spots,
        jobs=jobs,
        blocked=blocked,
        present=present,
        travel=travel,
        has_skills=has_skills,
        is_on_duty=is_on_duty,
        is_in_time=is_in_time,
        refused=refused,
        board=board,
        decision=decide(board),
    )


def _jobs_for_now(
    everything: Mapping[int, Job], now: dt.datetime
) -> tuple[list[Job], dict[str, str]]:
    """Part the jobs to which somebody may be sent from those that cannot begin for long."""
    jobs: list[Job] = []
    blocked: dict[str, str] = {}
    for job in everything.values():
        if job.phase == "coming" or (
            job.phase == "waiting" and _release_s(job, everything, now) <= LEAD_S
        ):
            jobs.append(job)
        elif job.phase == "waiting":
            before = everything.get(job.after_order_key or 0)
            blocked[job.id] = before.id if before else ""
    return jobs, blocked


def _release_s(job: Job, everything: Mapping[int, Job], now: dt.datetime) -> float:
    """Give when work may begin: after its permit, and after the stage before it."""
    release_s = (job.release_at - now).total_seconds()
    before = everything.get(job.after_order_key or 0)
    if before is None:
        return release_s
    if before.phase == "there":
        return max(release_s, _left_s(before, now))
    waiting_s = UNSENT_S if before.phase in {"waiting", "held"} else UNSENT_S / 2
    return max(release_s, waiting_s + before.expected_work_min * 60)


def _left_s(job: Job, now: dt.datetime) -> float:
    begun = job.started_at or job.arrived_at or now
    left_s = job.expected_work_min * 60 - (now - begun).total_seconds()
    return max(left_s, LEAST_LEFT_S)


def _present_jobs(crews: list[Crew], everything: Iterable[Job]) -> dict[int, Job]:
    there = {key: job for job in everything if job.phase == "there" for key in job.crew_keys}
    return {row: there[crew.key] for row, crew in enumerate(crews) if crew.key in there}


def _spot_of(
    crew: Crew,
    present: Job | None,
    settings: Settings,
    now: dt.datetime,
    everything: Iterable[Job],
) -> Spot:
    """Tell where a crew is: an old place is distrusted, and costs minutes, more as it ages."""
    if present is not None:
        return Spot(present.lon, present.lat, "job", free_in_s=_left_s(present, now))
    if crew.lon is not None and crew.lat is not None and not crew.is_position_stale:
        return Spot(crew.lon, crew.lat, "position")
    return _old_spot_of(crew, settings, now, everything)


def _old_spot_of(
    crew: Crew, settings: Settings, now: dt.datetime, everything: Iterable[Job]
) -> Spot:
    """Tell where a crew was last: at a job, by an old position, or at its depot."""
    arrivals = [
        (job.arrived_at, job.lon, job.lat)
        for job in everything
        if job.arrived_at is not None and crew.key in job.crew_keys
    ]
    last = max(arrivals, default=None)
    if last and (crew.position_at is None or last[0] > crew.position_at):
        return Spot(last[1], last[2], "job", penalty_min=_penalty_min(last[0], settings, now))
    penalty_min = _penalty_min(crew.position_at, settings, now)
    is_known = crew.lon is not None and crew.lat is not None and not crew.is_position_doubted
    if is_known and penalty_min < settings.stale_penalty_min:
        return Spot(crew.lon or 0.0, crew.lat or 0.0, "old_position", penalty_min=penalty_min)
    if crew.depot is not None:
        penalty_min = settings.stale_penalty_min
        return Spot(crew.depot.lon, crew.depot.lat, "depot", penalty_min=penalty_min)
    if crew.lon is not None and crew.lat is not None:
        return Spot(crew.lon, crew.lat, "old_position", penalty_min=penalty_min)
    return Spot(0.0, 0.0, "unknown")


def _penalty_min(told_at: dt.datetime | None, settings: Settings, now: dt.datetime) -> float:
    """Give what an old place costs: all that is set where it is forgotten or comes too early."""
    age_s = FORGOTTEN_S if told_at is None else (now - told_at).total_seconds()
    share = 1.0 if age_s < 0 else min(age_s / FORGOTTEN_S, 1.0)
    return settings.stale_penalty_min * share


def _call_out_s(crews: list[Crew], settings: Settings) -> NDArray[np.float64]:
    """Give how long crews on call take until they set out, and their order by a hair."""
    return np.array(
        [
            0.0
            if crew.on_shift or crew.on_call_rank is None
            else settings.call_out_min * 60 + crew.on_call_rank * RANK_S
            for crew in crews
        ],
        dtype=np.float64,
    )


def _has_skills(crews: list[Crew], jobs: list[Job]) -> NDArray[np.bool_]:
    words = sorted({skill for job in jobs for skill in job.skills})
    has = np.array([[word in crew.skills for word in words] for crew in crews], dtype=np.bool_)
    needs = np.array([[word in job.skills for word in words] for job in jobs], dtype=np.bool_)
    has, needs = has.reshape(len(crews), len(words)), needs.reshape(len(jobs), len(words))
    lacking = (~has).astype(np.int32) @ needs.T.astype(np.int32)
    return np.asarray(lacking == 0, dtype=np.bool_)


def _is_on_duty(crews: list[Crew], jobs: list[Job]) -> NDArray[np.bool_]:
    """Tell who works now; crews on call come for emergencies alone."""
    on_shift = np.array([crew.on_shift for crew in crews], dtype=np.bool_)
    on_call = np.array([crew.on_call_rank is not None for crew in crews], dtype=np.bool_)
    is_emergency = np.array([job.is_emergency for job in jobs], dtype=np.bool_)
    return on_shift[:, None] | (on_call[:, None] & is_emergency)


def _is_in_time(
    crews: list[Crew], jobs: list[Job], arrive_s: NDArray[np.float64], now: dt.datetime
) -> NDArray[np.bool_]:
    """Tell who can finish a job before the shift ends; for an emergency, arriving is enough."""
    left_s = np.array(
        [
            (crew.shift_ends_at - now).total_seconds() if crew.shift_ends_at else np.inf
            for crew in crews
        ]
    )
    work_s = np.array([0.0 if job.is_emergency else job.expected_work_min * 60 for job in jobs])
    # No way is another hindrance, and says so itself.
    is_in_time: NDArray[np.bool_] = arrive_s + work_s <= left_s[:, None]
    return is_in_time | np.isinf(arrive_s)


def _is_refused(
    crews: list[Crew], jobs: list[Job], refused: set[tuple[int, int]]
) -> NDArray[np.bool_]:
    found = np.zeros((len(crews), len(jobs)), dtype=np.bool_)
    crew_row = {crew.key: row for row, crew in enumerate(crews)}
    job_row = {job.key: row for row, job in enumerate(jobs)}
    for order_key, crew_key in refused:
        if crew_key in crew_row and order_key in job_row:
            found[crew_row[crew_key], job_row[order_key]] = True
    return found


def _weight_of(job: Job, now: dt.datetime) -> float:
    limit_s = np.inf
    if job.arrive_due_at is not None:
        limit_s = max((job.arrive_due_at - job.reported_at).total_seconds(), 1.0)
    weight = job_weight(
        job.customers_out or 0,
        job.critical_out or 0,
        job.severity,
        (now - job.reported_at).total_seconds(),
        limit_s,
    )
    return max(weight, job.weight_floor) * (DRILL_WEIGHT if job.is_drill else 1.0)


def _late_of(job: Job) -> float:
    return late_weight(job.severity) * (DRILL_WEIGHT if job.is_drill else 1.0)


def _between_s(
    session: Session, goals: list[tuple[float, float]], settings: Settings
) -> NDArray[np.float64] | None:
    """Give the way from each job to each other, for whoever goes on; of very many it is guessed."""
    if len(goals) > MOST_BETWEEN:
        return None
    return find_travel(session, goals, goals, settings.straight_factor).minutes * 60


@dataclass(frozen=True, slots=True)
class _Past:
    """What was reported in the weeks before an hour, kept as long as the hour lasts."""

    hour: dt.datetime
    days: float
    kinds: list[queries.PastKind]
    places: list[tuple[float, float]]


def _past_of(session: Session, now: dt.datetime) -> _Past:
    hour = now.replace(minute=0, second=0, microsecond=0)
    kept: _Past | None = session.info["kept"].get("dispatch_past")
    if kept is None or kept.hour != hour:
        since = hour - dt.timedelta(days=PAST_DAYS)
        kept = session.info["kept"]["dispatch_past"] = _Past(
            hour,
            PAST_DAYS,
            queries.fetch_past_kinds(session, since, hour),
            queries.fetch_past_places(session, hour, PAST_PLACES),
        )
    return kept


def _expected_calls(
    session: Session,
    crews: list[Crew],
    starts: list[tuple[float, float]],
    settings: Settings,
    now: dt.datetime,
) -> Calls | None:
    """Expect what the weeks before have shown; nothing where they have shown too little."""
    past = _past_of(session, now)
    if sum(kind.count for kind in past.kinds) < LEAST_PAST or not crews:
        return None
    kinds = past.kinds
    fits = [[crew.on_shift and crew.skills >= set(kind.skills) for kind in kinds] for crew in crews]
    travel = find_travel(session, starts, past.places, settings.straight_factor)
    return Calls(
        per_s=np.array([kind.count / (past.days * 86400) for kind in kinds], dtype=np.float64),
        weight=np.array(
            [job_weight(kind.customers, 0, kind.severity, 0.0, np.inf) for kind in kinds],
            dtype=np.float64,
        ),
        is_fit=np.array(fits, dtype=np.bool_),
        usual_wait_s=np.array(
            [USUAL_WAIT_S if kind.wait_s is None else kind.wait_s for kind in kinds],
            dtype=np.float64,
        ),
        travel_s=travel.minutes * 60,
    )


def _due_s(job: Job, now: dt.datetime) -> float:
    due_at = job.arrive_due_at
    return float("inf") if due_at is None else (due_at - now).total_seconds()


def _bonds(crews: list[Crew], jobs: list[Job]) -> dict[str, Any]:
    """Give to which job each crew is ordered, and whether it may be ordered away."""
    current = np.full(len(crews), -1, dtype=np.int32)
    pinned = np.full(len(crews), -1, dtype=np.int32)
    crew_row = {crew.key: row for row, crew in enumerate(crews)}
    for at, job in enumerate(jobs):
        for row in (crew_row[key] for key in job.crew_keys if key in crew_row):
            current[row] = at
            if job.is_pinned:
                pinned[row] = at
    return {"current": current, "pinned": pinned, "is_divertible": pinned < 0}
