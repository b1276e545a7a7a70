"""
A day played through the real services, with a fast clock.

What happens comes from `scenarios`, what crews do from `played_crews`; here are the callers, the
service desk, the dispatcher, and the clock. Each deed is a transaction of its own.
"""

from __future__ import annotations

import datetime as dt
import heapq
import itertools
import time
from dataclasses import dataclass, field
from statistics import mean, quantiles
from typing import TYPE_CHECKING

from fieldops.candidates.queries import fetch_events_since
from fieldops.clocks.service import escalate
from fieldops.crews.service import Position, list_crews, record_place
from fieldops.dispatch.service import Sending, answer_by_phone, send, suggest, sweep_offers
from fieldops.errors import FieldopsError
from fieldops.events.service import SYSTEM, Operation
from fieldops.live_outages import service as live_outages
from fieldops.live_outages.service import OutageDraft
from fieldops.offers.service import list_open as list_offers
from fieldops.played_crews.service import DESK, Play, act, place_of
from fieldops.reports.service import ReportDraft, open_incident_for, register_report
from fieldops.scenarios.service import Happening, Wish, draw_day, find_place, is_untouched
from fieldops.work_orders.service import Filter, list_orders

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.orm import Session, sessionmaker

    from fieldops.scenarios.service import Call
    from fieldops.work_orders.service import WorkOrder

    Deed = Callable[[Session, dt.datetime], None]
    Tell = Callable[[str, dict[str, object]], None]

__all__ = ["DEMO_KINDS", "Player", "Summary", "Wish", "is_untouched", "play_demo", "play_on"]

DESK_MIN = 1.0
"""A dispatcher looks up so often."""
ESCALATE_MIN = 5.0
HEAR_MIN = 0.1
MANY_EVENTS = 1000
READ_MIN = 0.5
"""So long a dispatcher reads the reasons before sending somebody."""
DEMO_HOURS = 2.0
DEMO_PAUSE_MIN = 18.0
"""The demo's dispatcher leaves what came last to the visitor."""
DEMO_KINDS = ("burst", "surfacing", "visible_leak", "burst", "visible_leak", "discoloured", "burst")
DEMO_SEED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What became of a day; None where there was nothing to measure."""

    happenings: int
    reports: int
    jobs: int
    closed: int
    burst_arrival_mean_min: float | None
    burst_arrival_p95_min: float | None
    customer_minutes: float
    missed_limits: int
    refused: list[str]


@dataclass(slots=True)
class Player:
    """
    Plays a day on the services.

    `speed` is how many times faster than real it goes, None as fast as it can; without
    `has_dispatcher` somebody real sends the crews. Until `pause_at` is the dispatcher at the desk.
    """

    sessions: sessionmaker[Session]
    wish: Wish
    is_drill: bool = False
    speed: float | None = None
    has_dispatcher: bool = True
    pause_at: dt.datetime | None = None
    tell: Tell = lambda _what, _values: None
    play: Play = field(init=False)
    now: dt.datetime = field(init=False)
    reports: int = 0
    happenings: int = 0
    _deeds: list[tuple[dt.datetime, int, Deed]] = field(default_factory=list)
    _number: itertools.count[int] = field(default_factory=itertools.count)
    _due: dict[str, dt.datetime] = field(default_factory=dict)
    _seen: int = 0
    _looked_at: dt.datetime = field(init=False)
    _heard: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Begin at the beginning."""
        self.play = Play(seed=self.wish.seed, is_drill=self.is_drill)
        self.now = self._looked_at = self.wish.start

    @property
    def end(self) -> dt.datetime:
        """When the day is over."""
        return self.wish.start + dt.timedelta(hours=self.wish.hours)

    def later(self, minutes: float, deed: Deed) -> None:
        """Do something in so many minutes."""
        at = self.now + dt.timedelta(minutes=minutes)
        heapq.heappush(self._deeds, (at, next(self._number), deed))

    def run(self) -> Summary:
        """Play the day to its end, and sum it up."""
        with self.sessions.begin() as session:
            happenings = draw_day(session, self.wish)
            crews = [crew.id for crew in list_crews(session, self.now)]
        if not crews:
            raise FieldopsError("There are no crews yet: add some, or make those of the demo.")
        self.happenings = len(happenings)
        for happening in happenings:
            self._plan_calls(happening)
        for at, crew in enumerate(crews):
            self._wake(crew, 0.1 + at * 0.05)
        if self.has_dispatcher:
            self.later(0.5, self._look_at_board)
            self.later(ESCALATE_MIN, self._escalate)
        else:
            self.later(HEAR_MIN, self._hear)
        self._play()
        with self.sessions.begin() as session:
            return self._sum_up(session)

    def _play(self) -> None:
        began = time.monotonic()
        while self._deeds and self._deeds[0][0] <= self.end:
            at, _, deed = heapq.heappop(self._deeds)
            self.now = at.replace(microsecond=0)
            if self.speed is not None:
                ahead_s = (at - self.wish.start).total_seconds() / self.speed
                time.sleep(max(0.0, began + ahead_s - time.monotonic()))
                # Late, it is as late as the clock of whoever looks on.
                gone_s = (time.monotonic() - began) * self.speed
                self.now = self.wish.start + dt.timedelta(seconds=gone_s)
            try:
                with self.sessions.begin() as session:
                    deed(session, self.now)
            except FieldopsError as error:
                self.play.refused.append(str(error))
        self.now = self.end

    def _plan_calls(self, happening: Happening) -> None:
        for call in happening.calls:
            minutes = (happening.at - self.wish.start).total_seconds() / 60 + call.after_min
            self.later(minutes, self._call_of(happening, call))

    def _call_of(self, happening: Happening, call: Call) -> Deed:
        """Take a call, and open the incident unless it is known."""

        def deed(session: Session, now: dt.datetime) -> None:
            lon, lat = find_place(session, happening, call.along_m)
            draft = ReportDraft(
                kind=happening.kind,
                words=call.text,
                name=call.name,
                phone=call.phone,
                lon=lon,
                lat=lat,
                is_drill=self.is_drill,
            )
            taken = register_report(session, draft, DESK, now)
            self.reports += 1
            self.tell("report", {"id": taken.report.id, "kind": happening.kind, "at": now})
            if taken.linked_incident is not None:
                return
            opening = open_incident_for(session, taken.report.id, DESK, now)
            if not opening.is_new:
                return
            incident = opening.incident.id
            self.play.stories[incident] = happening
            self.tell("incident", {"id": incident, "kind": happening.kind, "at": now})
            if happening.needs_outage:
                self.later(2.0, self._outage_of(happening, incident))

        return deed

    def _outage_of(self, happening: Happening, incident: str) -> Deed:
        def deed(session: Session, now: dt.datetime) -> None:
            draft = OutageDraft(
                pipe=happening.pipe_id,
                at_m=happening.at_m,
                incident_id=incident,
                is_drill=self.is_drill,
            )
            opened = live_outages.open_outage(session, draft, DESK, now)
            count = opened.outage.connections
            self.tell("outage", {"id": opened.id, "connections": count, "at": now})

        return deed

    def _wake(self, crew_id: str, minutes: float) -> None:
        """Have a crew act in so many minutes, in place of what it was about to do."""
        due = self.now + dt.timedelta(minutes=minutes)
        self._due[crew_id] = due

        def deed(session: Session, now: dt.datetime) -> None:
            if self._due[crew_id] != due:
                return
            # Whatever goes wrong, the crew is not lost to the day.
            pause_min = 5.0
            try:
                crew = next(each for each in list_crews(session, now) if each.id == crew_id)
                pause_min = act(session, self.play, crew, now)
            finally:
                self._wake(crew_id, pause_min)

        self.later(minutes, deed)

    def _hear(self, session: Session, now: dt.datetime) -> None:
        """Have crews hear soon what somebody real has sent them to."""
        self.later(HEAR_MIN, self._hear)
        soon = now + dt.timedelta(minutes=2 * READ_MIN)
        for order in list_orders(session, Filter(states=("assigned",))):
            heard = f"{order.id} {order.version}"
            if order.crew_id and heard not in self._heard:
                self._heard.add(heard)
                if self._due.get(order.crew_id, soon) >= soon:
                    self._wake(order.crew_id, self.play.minutes(0.1, READ_MIN, "hear", heard))

    def _look_at_board(self, session: Session, now: dt.datetime) -> None:
        """Do what a dispatcher does: answer, approve, phone, send."""
        self.later(DESK_MIN, self._look_at_board)
        if self.pause_at is not None and now >= self.pause_at:
            return
        sweep_offers(session, now)
        if not self._is_news(session, now):
            return
        self._phone(session, now)
        for outage in live_outages.list_open(session):
            if outage.proposed is not None:
                body = {"plan": outage.proposed.number}
                wish = Operation(
                    subject_kind="outage", subject_id=outage.id, action="approve_plan", body=body
                )
                live_outages.apply_operation(session, wish, DESK, now)
        self.later(READ_MIN, self._send_all)

    def _is_news(self, session: Session, now: dt.datetime) -> bool:
        """Tell whether anything but places of crews was told of since the last look."""
        happened = fetch_events_since(session, self._seen, MANY_EVENTS)
        if happened:
            self._seen = happened[-1][0]
        is_long_ago = now - self._looked_at >= dt.timedelta(minutes=ESCALATE_MIN)
        if not is_long_ago and all(kind.startswith("crew.") for _, kind, _ in happened):
            return False
        self._looked_at = now
        return True

    def _phone(self, session: Session, now: dt.datetime) -> None:
        for offer in list_offers(session):
            if offer.phone_asked_at is None:
                continue
            lot = self.play.lot("phone", offer.order_id, offer.crew_id, offer.phone_asked_at)
            answer = "accepted" if lot.random() < 0.85 else "declined"
            note = "" if answer == "accepted" else "车辆故障"
            answer_by_phone(session, offer.order_id, answer, note, DESK, now)
            self._wake(offer.crew_id, 0.5)

    def _send_all(self, session: Session, now: dt.datetime) -> None:
        for each in suggest(session, now):
            wish = Sending(
                order_id=each.order_id,
                crew_id=each.crew_id,
                second_crew_id=each.second_crew_id,
                base_version=each.version,
                instead_of=each.diverts,
            )
            outcome = send(session, wish, DESK, now)
            if not outcome.status.startswith("applied"):
                self.play.refused.append(outcome.message % outcome.params)
                continue
            for crew_id in wish.crew_ids:
                self._wake(crew_id, self.play.minutes(0.3, 1.5, "hear", each.order_id, crew_id))
            sent = {"order": each.order_id, "crew": each.crew_name, "eta_min": each.eta_min}
            self.tell("sent", sent | {"at": now})

    def _escalate(self, session: Session, now: dt.datetime) -> None:
        self.later(ESCALATE_MIN, self._escalate)
        escalate(session, now)

    def _sum_up(self, session: Session) -> Summary:
        every = list_orders(session, Filter(is_open=None, limit=100_000))
        jobs = [each for each in every if each.opened_at >= self.wish.start]
        arrivals = [
            (each.arrived_at - each.reported_at).total_seconds() / 60
            for each in jobs
            if each.severity == "burst" and each.after_order_key is None and each.arrived_at
        ]
        lost = live_outages.count_minutes(session, self.wish.start, self.end)
        return Summary(
            happenings=self.happenings,
            reports=self.reports,
            jobs=len(jobs),
            closed=sum(not each.is_open for each in jobs),
            burst_arrival_mean_min=mean(arrivals) if arrivals else None,
            burst_arrival_p95_min=_p95(arrivals),
            customer_minutes=lost.customer_minutes,
            missed_limits=sum(_is_missed(each, self.end) for each in jobs),
            refused=self.play.refused,
        )


def _p95(minutes: Sequence[float]) -> float | None:
    if len(minutes) < 2:
        return minutes[0] if minutes else None
    return quantiles(minutes, n=20, method="inclusive")[-1]


def _is_missed(order: WorkOrder, end: dt.datetime) -> bool:
    due_at = order.arrive_due_at
    return due_at is not None and (order.arrived_at or end) > due_at


def play_demo(sessions: sessionmaker[Session], now: dt.datetime, tell: Tell) -> Summary | None:
    """Put a few incidents under way as of now; None where anything was ever reported."""
    with sessions.begin() as session:
        if not is_untouched(session):
            return None
    start = now - dt.timedelta(hours=DEMO_HOURS)
    wish = Wish(
        seed=DEMO_SEED,
        start=start.replace(second=0, microsecond=0),
        hours=DEMO_HOURS,
        kinds=DEMO_KINDS,
    )
    pause_at = now - dt.timedelta(minutes=DEMO_PAUSE_MIN)
    player = Player(sessions, wish, pause_at=pause_at, tell=tell)
    summary = player.run()
    with sessions.begin() as session:
        stand_where_played(session, player.play, now)
    return summary


def stand_where_played(session: Session, play: Play, now: dt.datetime) -> None:
    """Have every crew tell where the day has left it, though its tablet told something newer."""
    for crew in list_crews(session, now):
        place = place_of(session, play, crew, now)
        if place is not None:
            position = Position(lon=place[0], lat=place[1], at=now, accuracy_m=6.0)
            record_place(session, crew.id, position, SYSTEM, now)


def play_on(sessions: sessionmaker[Session], now: dt.datetime, hours: float, seed: int) -> Summary:
    """Let crews go on in real time with whatever somebody sends them to; nothing new happens."""
    wish = Wish(seed=seed, start=now, hours=hours, is_quiet=True)
    return Player(sessions, wish, speed=1.0, has_dispatcher=False).run()
