"""Crews and dispatchers of a city at work, each with a connection and a thread of its own."""

from __future__ import annotations

import datetime as dt
import http.client
import itertools
import json
import random
import secrets
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from fieldops.access import Role
from fieldops.accounts.queries import insert_person
from fieldops.accounts.service import make_token
from fieldops.crews.models import SKILLS
from fieldops.db import make_sessions
from fieldops.embedded_postgres import Cluster
from fieldops.events.service import SYSTEM
from fieldops.rosters import queries as rosters
from fieldops.work_orders.service import OrderDraft, open_order

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from benchmarks.served import Home
    from gis.towns import Town

POSITION_EVERY_S = 15.0
BOARD_EVERY_S = 10.0
ASSIGN_EVERY_S = 10.0
ORDERS_EACH = 3
IDLE_S = 8.0
REPORTERS = 4


@dataclass(slots=True)
class Done:
    """What was done, how long each request took, and what went wrong."""

    times_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    faults: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def note(self, name: str, took_ms: float, fault: str | None) -> None:
        """Keep one request."""
        with self.lock:
            self.times_ms[name].append(took_ms)
            if fault is not None:
                self.faults.append(f"{name}: {fault}")


class Worker:
    """Somebody with a tablet or a screen: one connection that stays open."""

    def __init__(self, port: int, token: str, done: Done) -> None:
        """Take the way to the server."""
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.done = done
        self.device = secrets.token_hex(4)
        self.sequence = itertools.count(1)
        self.asked_at_s = 0.0

    def ask(self, name: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask, time it, and give the answer; an error is noted."""
        sent = None if body is None else json.dumps(body)
        if time.monotonic() - self.asked_at_s > IDLE_S:
            # The server may be just about to hang up.
            self.connection.close()
        begun_s = time.perf_counter()
        answer: dict[str, Any] = {}
        fault = None
        try:
            self.connection.request("POST" if sent else "GET", path, sent, self.headers)
            response = self.connection.getresponse()
            content = response.read()
            if response.status >= 300:
                fault = f"{response.status} {content[:200].decode(errors='replace')}"
            else:
                answer = json.loads(content)
        except (OSError, http.client.HTTPException) as error:
            fault = repr(error)
            self.connection.close()
        self.asked_at_s = time.monotonic()
        results = answer.get("results", ())
        refused = [each for each in results if not each["status"].startswith("applied")]
        self.done.note(
            name,
            (time.perf_counter() - begun_s) * 1e3,
            fault or (str(refused[0]) if refused else None),
        )
        return answer

    def operate(self, name: str, subject: str, action: str, **body: object) -> None:
        """Send one operation, as a tablet does."""
        millis = time.time_ns() // 1_000_000
        chance = secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
        operation = {
            "op_id": str(uuid.UUID(int=millis << 80 | 7 << 76 | chance)),
            "device": self.device,
            "sequence": next(self.sequence),
            "subject": subject,
            "action": action,
            "body": body,
            "occurred_at": dt.datetime.now(dt.UTC).isoformat(),
        }
        self.ask(name, "/api/v1/ops", {"ops": [operation]})


@dataclass(slots=True)
class Crew:
    """A crew, and the orders that it was given and has not looked at."""

    id: str
    token: str
    lon: float
    lat: float
    given: SimpleQueue[str] = field(default_factory=SimpleQueue)
    departed: SimpleQueue[str] = field(default_factory=SimpleQueue)


@dataclass(slots=True)
class CityDay:
    """Who works, and on what."""

    crews: list[Crew]
    dispatchers: list[str]
    orders: list[str]
    burst: tuple[float, float]
    """Where the pipe lies that breaks."""

    def play(self, home: Home, seconds: float) -> Done:
        """Let everybody work for so long."""
        done, is_over = Done(), Event()
        threads = [Thread(target=drive, args=(home, crew, done, is_over)) for crew in self.crews]
        count = len(self.dispatchers)
        for row, token in enumerate(self.dispatchers):
            own = self.crews[row::count], self.orders[row::count]
            worker = Worker(home.port, token, done)
            threads.append(Thread(target=dispatch, args=(worker, *own, is_over)))
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        is_over.set()
        for thread in threads:
            thread.join()
        return done


def drive(home: Home, crew: Crew, done: Done, is_over: Event) -> None:
    """Post positions, and take on what is given."""
    chance = random.Random(crew.id)  # noqa: S311 - a drill, no secret
    worker = Worker(home.port, crew.token, done)
    next_s = time.monotonic() + chance.uniform(0, POSITION_EVERY_S)
    while not is_over.is_set():
        if time.monotonic() >= next_s:
            next_s += POSITION_EVERY_S
            crew.lon += chance.uniform(-1e-3, 1e-3)
            crew.lat += chance.uniform(-1e-3, 1e-3)
            place = {"lon": crew.lon, "lat": crew.lat, "accuracy_m": 8.0}
            worker.operate("position", f"crew:{crew.id}", "position", **place)
        try:
            order = crew.given.get(timeout=0.5)
        except Empty:
            continue
        worker.operate("acceptance", f"work_order:{order}", "accept")
        is_over.wait(chance.uniform(0.5, 3))
        worker.operate("departure", f"work_order:{order}", "depart")
        crew.departed.put(order)


def dispatch(worker: Worker, crews: list[Crew], orders: list[str], is_over: Event) -> None:
    """Read the board, assign, and take back, so that there is always something to assign."""
    chance = random.Random(orders[0])  # noqa: S311 - a drill, no secret
    free, waiting = list(crews), list(orders)
    board_s = time.monotonic() + chance.uniform(0, BOARD_EVERY_S)
    assign_s = time.monotonic() + chance.uniform(0, ASSIGN_EVERY_S)
    while not is_over.wait(0.1):
        if time.monotonic() >= board_s:
            board_s += BOARD_EVERY_S
            worker.ask("board", "/api/v1/board")
        if time.monotonic() >= assign_s and free and waiting:
            assign_s += ASSIGN_EVERY_S
            crew, order = free.pop(0), waiting.pop(0)
            worker.ask("assignment", f"/api/v1/orders/{order}/assign", {"crew": crew.id})
            crew.given.put(order)
        for crew in crews:
            while not crew.departed.empty():
                order = crew.departed.get()
                worker.operate(
                    "withdrawal", f"work_order:{order}", "withdraw", reason="先处理别处爆管"
                )
                free.append(crew)
                waiting.append(order)


def prepare(home: Home, town: Town, crews: int, dispatchers: int) -> CityDay:
    """Put people, crews on shift and open orders into the database."""
    chance = random.Random(len(town.pipe_length_m))  # noqa: S311 - a drill, no secret
    now = dt.datetime.now(dt.UTC)
    sessions = make_sessions(Cluster(home.folder).url())
    with sessions.begin() as session:
        made = [
            _make_crew(session, f"C-{row + 1}", chance.choice(town.bend_lon_lat), now)
            for row in range(crews)
        ]
        tokens = [_make_person(session, Role.DISPATCHER, now)[1] for _ in range(dispatchers)]
    orders = []
    for _ in range(ORDERS_EACH * dispatchers):
        lon, lat = chance.choice(town.bend_lon_lat).tolist()
        with sessions.begin() as session:
            draft = OrderDraft(kind="repair", severity="leak", lon=lon, lat=lat, is_triaged=True)
            orders.append(open_order(session, draft, SYSTEM, now).id)
    sessions.kw["bind"].dispose()
    lon, lat = town.bend_lon_lat[len(town.bend_lon_lat) // 2].tolist()
    return CityDay(made, tokens, orders, (lon, lat))


def _make_person(session: Session, role: Role, now: dt.datetime) -> tuple[int, str]:
    person = insert_person(
        session, login=f"p-{secrets.token_hex(6)}", name="王芳", roles=(role,), password_hash=None
    )
    return person, make_token(session, person, "bench", 1, now)


def _make_crew(session: Session, crew_id: str, place: Any, now: dt.datetime) -> Crew:  # noqa: ANN401
    lon, lat = place.tolist()
    person, token = _make_person(session, Role.CREW, now)
    key = rosters.insert_crew(
        session, id=crew_id, name=f"抢修{crew_id}班", lon=lon, lat=lat, position_at=now
    )
    if key is None:
        message = f"there is a crew {crew_id} already"
        raise SystemExit(message)
    rosters.insert_member(session, key, name="周师傅", is_leader=True, person_id=person)
    for skill in SKILLS:
        rosters.insert_skill(session, key, skill=skill)
    hours = dt.timedelta(hours=8)
    shift = {"crew_key": key, "kind": "shift", "rank": None}
    rosters.insert_shifts(session, [shift | {"starts_at": now - hours, "ends_at": now + hours}])
    return Crew(crew_id, token, lon, lat)


@dataclass(frozen=True, slots=True)
class Reported:
    """How long each report took, and what came of them."""

    times_ms: list[float]
    linked: int
    by_itself: int
    incidents: int
    faults: list[str]


def report_one_burst(home: Home, city: CityDay, count: int) -> Reported:
    """
    Have so many people report water on one road, several at the same time.

    Whoever takes the calls opens an incident from the first, and puts each other to the best
    candidate that is offered, unless it was linked by itself.
    """
    done = Done()
    place = city.burst
    first = Worker(home.port, city.dispatchers[0], done)
    before = {each["id"] for each in first.ask("board", "/api/v1/board").get("incidents", ())}
    report = first.ask("report", "/api/v1/reports", _report(place, 0))["report"]["id"]
    first.ask("incident", f"/api/v1/reports/{report}/incident", {})
    numbers: SimpleQueue[int] = SimpleQueue()
    for number in range(1, count):
        numbers.put(number)
    ways: list[str] = ["by hand"]
    tokens = city.dispatchers[:REPORTERS]
    threads = [
        Thread(target=take_calls, args=(Worker(home.port, token, done), place, numbers, ways))
        for token in tokens
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    board = first.ask("board", "/api/v1/board")
    after = {each["id"] for each in board.get("incidents", ())}
    linked = len(ways) - ways.count("none")
    by_itself = ways.count("by itself")
    return Reported(done.times_ms["report"], linked, by_itself, len(after - before), done.faults)


def take_calls(
    worker: Worker, place: tuple[float, float], numbers: SimpleQueue[int], ways: list[str]
) -> None:
    """Take calls until there are no more."""
    while True:
        try:
            number = numbers.get_nowait()
        except Empty:
            return
        answer = worker.ask("report", "/api/v1/reports", _report(place, number))
        candidates = [each for each in answer["candidates"] if each["subject"] == "incident"]
        if answer["linked_incident"]:
            ways.append("by itself")
        elif candidates:
            report = answer["report"]["id"]
            wish = {"incident": candidates[0]["id"]}
            worker.ask("link", f"/api/v1/reports/{report}/link", wish)
            ways.append("by hand")
        else:
            offered = [f"{each['subject']} {each['kind']}" for each in answer["candidates"]]
            worker.done.faults.append(f"{answer['report']['kind']} is offered {offered}")
            ways.append("none")


def _report(place: tuple[float, float], number: int) -> dict[str, Any]:
    """Say what one of many saw, within some thirty metres."""
    chance = random.Random(number)  # noqa: S311 - a drill, no secret
    kinds = ["burst", "no_water", "low_pressure", "surfacing"]
    return {
        "kind": chance.choice(kinds) if number else "burst",
        "text": "路面大量冒水",
        "phone": f"1380000{number:04d}",
        "lon": place[0] + chance.gauss(0, 3e-4) * (number > 0),
        "lat": place[1] + chance.gauss(0, 3e-4) * (number > 0),
    }
