"""Operations while processes are really killed: none that was answered is lost, none doubled."""

from __future__ import annotations

import datetime as dt
import http.client
import itertools
import json
import os
import random
import time
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from fieldops.db import make_sessions
from fieldops.embedded_postgres import Cluster
from fieldops.events.queries import fetch_chain, fetch_head
from fieldops.events.service import SYSTEM
from fieldops.work_orders.service import OrderDraft, open_order
from tests.faults.serving import Served, serving, wait_until
from tests.people import bearer
from tests.sending import operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

pytestmark = [pytest.mark.loopback, pytest.mark.slow]

WRITERS = 8
BACK_S = {"web process": 2.0, "web worker": 2.0, "worker": 2.0, "database": 20.0}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Serve one home for all tests here."""
    with serving() as served:
        yield served


@pytest.fixture
def store(served: Served) -> Iterator[sessionmaker[Session]]:
    """Give sessions on its database."""
    sessions = make_sessions(Cluster(served.home).url())
    yield sessions
    sessions.kw["bind"].dispose()


@dataclass
class Writer:
    """A tablet: sends one operation after the other, each until it is answered."""

    port: int
    headers: dict[str, str]
    subject: str
    is_over: Event
    answered: dict[str, dict[str, Any]] = field(default_factory=dict)
    spans_s: list[tuple[float, float]] = field(default_factory=list)
    """When each was sent for the last time, and answered."""
    repeated: int = 0

    def run(self) -> None:
        """Write notes until told to stop; the last one is seen through, too."""
        for number in itertools.count():
            if self.is_over.is_set():
                return
            wanted = operation(self.subject, "note", body={"text": f"第 {number} 条"})
            sent_at_s = time.monotonic()
            while (result := self.send(wanted)) is None:
                self.repeated += 1
                time.sleep(0.05)
                sent_at_s = time.monotonic()
            self.answered[wanted["op_id"]] = result
            self.spans_s.append((sent_at_s, time.monotonic()))

    def send(self, wanted: dict[str, Any]) -> dict[str, Any] | None:
        """Send an operation, and give its answer, None if there was none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("POST", "/api/v1/ops", json.dumps({"ops": [wanted]}), self.headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                return None
            result: dict[str, Any] = json.loads(body)["results"][0]
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()
        return None if result["status"] == "failed" else result


@dataclass
class Screen:
    """Listens all the time, and comes back by the last id whenever the line breaks."""

    port: int
    headers: dict[str, str]
    is_over: Event
    heard: list[int] = field(default_factory=list)
    came_back: int = -1

    def run(self) -> None:
        """Listen until told to stop."""
        while not self.is_over.is_set():
            last = {"Last-Event-ID": str(self.heard[-1] if self.heard else 0)}
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=7)
            try:
                connection.request("GET", "/api/v1/events/stream", None, self.headers | last)
                answer = connection.getresponse()
                if answer.status == 200:
                    self.came_back += 1
                    self.read(answer)
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            time.sleep(0.05)

    def read(self, answer: http.client.HTTPResponse) -> None:
        """Read ids as they come."""
        while not self.is_over.is_set() and (line := answer.readline()):
            if line.startswith(b"id: "):
                self.heard.append(int(line[4:]))


def begin_writing(served: Served, store: sessionmaker[Session]) -> list[tuple[Writer, Thread]]:
    """Let every writer have an order of its own, and begin."""
    now = dt.datetime.now(dt.UTC)
    with store.begin() as session:
        headers = bearer(session, "dispatcher") | {"Content-Type": "application/json"}
    with store.begin() as session:
        draft = OrderDraft(kind="repair", severity="leak", lon=120.0, lat=30.0)
        orders = [open_order(session, draft, SYSTEM, now).id for _ in range(WRITERS)]
    is_over = Event()
    writers = [Writer(served.port, headers, f"work_order:{order}", is_over) for order in orders]
    pairs = [(writer, Thread(target=writer.run)) for writer in writers]
    for _, thread in pairs:
        thread.start()
    return pairs


def kill_and_wait(served: Served, name: str, writers: list[Writer]) -> float:
    """Kill one process under load, and give the seconds until somebody is answered again."""
    if name == "web process":
        wait_until(served.is_covered)
    if name == "worker":
        wait_until(lambda: served.find("main()", "worker"))
        [victim] = served.find("main()", "worker")
        gone_at_s = served.kill(victim)
        wait_until(lambda: set(served.find("main()", "worker")) - {victim}, every_s=0.02)
        return time.monotonic() - gone_at_s
    if name == "database":
        victim = min(served.find("postgres", "-k"))
    else:
        wait_until(served.web_workers)
        victim = served.web_process() if name == "web process" else served.web_workers()[0]
    gone_at_s = served.kill(victim)

    def answered() -> list[float]:
        """Only what was sent after the kill shows that somebody is there."""
        spans = [span for writer in writers for span in writer.spans_s[-2:]]
        return [end for begin, end in spans if begin > gone_at_s]

    wait_until(answered, every_s=0.01)
    return min(answered()) - gone_at_s


def play(served: Served, store: sessionmaker[Session], victims: list[str]) -> None:
    """Kill one after the other while eight write, then look for every answer in the log."""
    pairs = begin_writing(served, store)
    writers = [writer for writer, _ in pairs]
    screen = Screen(served.port, writers[0].headers, Event())
    listening = Thread(target=screen.run)
    listening.start()
    too_slow = []
    try:
        for name in victims:
            count = sum(len(writer.answered) for writer in writers)
            wait_until(lambda: sum(len(w.answered) for w in writers) > count + WRITERS)  # noqa: B023
            took_s = kill_and_wait(served, name, writers)
            if took_s > BACK_S[name] * crowding():
                too_slow.append(f"{name}: {took_s:.1f} s")
    finally:
        writers[0].is_over.set()
        for _, thread in pairs:
            thread.join(60)
        with store() as session:
            head = fetch_head(session)
        with suppress(AssertionError):
            wait_until(lambda: screen.heard[-1:] == [head])
        screen.is_over.set()
        listening.join(60)
    check_log(store, writers)
    assert screen.heard == list(range(1, head + 1)), "a screen missed something, or heard it twice"
    assert screen.came_back >= sum(name.startswith("web") for name in victims)
    assert too_slow == []


def crowding() -> float:
    """Tell by how much everything takes longer where others work on this machine, too."""
    return max(1.0, os.getloadavg()[0] / len(os.sched_getaffinity(0)))


def check_log(store: sessionmaker[Session], writers: list[Writer]) -> None:
    """Every answer stands in the log, once, and the chain is whole."""
    query = text("SELECT op_id::text, count(*) FROM event WHERE op_id IS NOT NULL GROUP BY op_id")
    with store() as session:
        told = {op_id: count for op_id, count in session.execute(query)}  # noqa: C416 - rows
    with store() as session:
        assert fetch_chain(session).broken_at is None
    answered = {op_id: result for writer in writers for op_id, result in writer.answered.items()}
    assert {(one["status"], one["message"]) for one in answered.values()} == {("applied", "")}
    assert [op_id for op_id in answered if op_id not in told] == [], "answered, and lost"
    assert [op_id for op_id, count in told.items() if count > 1] == [], "done twice"
    versions: dict[str, list[int]] = {}
    for writer in writers:
        versions[writer.subject] = [result["version"] for result in writer.answered.values()]
    assert all(each == sorted(set(each)) for each in versions.values())


def test_nothing_answered_is_lost_or_doubled_when_processes_are_killed(
    served: Served, store: sessionmaker[Session]
) -> None:
    """Six kills under eight writers: the web process and its worker, the worker, the database."""
    play(
        served,
        store,
        ["web worker", "worker", "database", "web process", "web worker", "database"],
    )


@pytest.mark.long
def test_nothing_is_lost_in_fifty_kills(served: Served, store: sessionmaker[Session]) -> None:
    """In any order."""
    chance = random.Random(3)  # noqa: S311 - a drill, no secret
    play(served, store, chance.choices(list(BACK_S), k=50))
