"""What happens, heard by screens: in order, without gaps, each what it may hear."""

from __future__ import annotations

import datetime as dt
import json
import socket
import time
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from fieldops import create_app
from fieldops.db import make_sessions
from fieldops.events.service import SYSTEM, append_event
from fieldops.settings import Settings
from fieldops.streams import service
from fieldops.streams.api import line_of
from tests import databases, logs
from tests.faults.serving import wait_until
from tests.people import bearer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask
    from sqlalchemy.orm import Session, sessionmaker
    from werkzeug.test import TestResponse

NOW = dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)
STREAM = "/api/v1/events/stream"


@dataclass(frozen=True)
class Told:
    """A message of a stream."""

    id: int | None
    kind: str
    data: dict[str, Any]


class Screen:
    """Somebody who listens."""

    def __init__(self, response: TestResponse) -> None:
        """Begin to listen."""
        assert response.status_code == 200, response.text
        self.response = response
        self.messages = self.read()

    def read(self) -> Iterator[Told]:
        """Read message by message."""
        rest = ""
        for chunk in self.response.response:
            rest += chunk.decode() if isinstance(chunk, bytes) else chunk
            *whole, rest = rest.split("\n\n")
            yield from (parse(each) for each in whole)

    def hear(self, count: int) -> list[Told]:
        """Wait for so many messages that are no heartbeats."""
        heard: list[Told] = []
        while len(heard) < count:
            message = next(self.messages)
            if message.kind != "heartbeat":
                heard.append(message)
        return heard

    def hang_up(self) -> None:
        """Stop listening."""
        self.response.close()


def parse(message: str) -> Told:
    """Read one message."""
    fields = dict(line.split(": ", 1) for line in message.splitlines() if ": " in line)
    number = int(fields["id"]) if "id" in fields else None
    return Told(number, fields["event"], json.loads(fields["data"]))


@pytest.fixture(scope="module")
def clone() -> Iterator[str]:
    """Give one database for all tests here."""
    with databases.clone() as url:
        yield url


@pytest.fixture
def empty(clone: str) -> str:
    """Give that database with nothing in its log."""
    logs.empty_log(clone)
    return clone


@pytest.fixture
def served(empty: str, tmp_path: Path) -> Iterator[Flask]:
    """Give an app whose commits are real, with room for three screens."""
    settings = Settings(home=tmp_path, database_url=empty, secret_key="t", streams=3)  # noqa: S106
    app = create_app(settings)
    yield app
    live = app.extensions["fieldops.live"]
    live.stop()
    if live.thread:
        live.thread.join()
    app.extensions["fieldops.sessions"].kw["bind"].dispose()


@pytest.fixture
def store(empty: str) -> Iterator[sessionmaker[Session]]:
    """Give sessions of somebody else on the same database."""
    sessions = make_sessions(empty)
    yield sessions
    sessions.kw["bind"].dispose()


@pytest.fixture
def listen(served: Flask, store: sessionmaker[Session]) -> Callable[..., Screen]:
    """Let a dispatcher's screen listen."""
    with store() as session:
        headers = bearer(session, "dispatcher")

    def begin(after: int | None = None, **more: str) -> Screen:
        query = {} if after is None else {"after": after}
        answer = served.test_client().get(STREAM, query_string=query, headers=headers | more)
        return Screen(answer)

    return begin


def tell(store: sessionmaker[Session], *kinds: str, **body: str) -> None:
    """Let something happen, all in one transaction."""
    with store.begin() as session:
        for kind in kinds:
            by_kind = kind.split(".", maxsplit=1)[0]
            append_event(session, kind, (by_kind, 1), by=SYSTEM, now=NOW, body=body)


def test_a_screen_hears_at_once_what_happens(
    listen: Callable[..., Screen], store: sessionmaker[Session]
) -> None:
    """With position, kind, subject, both names and the body."""
    screen = listen()
    assert next(screen.messages).kind == "heartbeat"
    begun_s = time.perf_counter()
    tell(store, "thing.made", id="T-1", state="new")
    [heard] = screen.hear(1)
    assert time.perf_counter() - begun_s < 0.5
    assert (heard.id, heard.kind) == (1, "thing.made")
    assert heard.data == {
        "position": 1,
        "kind": "thing.made",
        "subject": "thing:T-1",
        "at": NOW.isoformat(),
        "by": "fieldops",
        "body": {"id": "T-1", "state": "new"},
    }
    screen.hang_up()


@pytest.mark.parametrize("way", ["header", "query"])
def test_a_screen_that_comes_back_hears_what_it_missed(
    listen: Callable[..., Screen], store: sessionmaker[Session], way: str
) -> None:
    """Each event once, in order, also where that takes several pages."""
    tell(store, *["thing.made"] * 1203)
    screen = listen(after=2) if way == "query" else listen(**{"Last-Event-ID": "2"})
    tell(store, "thing.moved", "thing.ended")
    heard = screen.hear(1203)
    assert [each.id for each in heard] == list(range(3, 1206))
    assert heard[-1].kind == "thing.ended"
    screen.hang_up()


def test_a_screen_without_an_id_hears_only_what_comes(
    listen: Callable[..., Screen], store: sessionmaker[Session]
) -> None:
    """It has just read everything by other ways; the heartbeat tells how far the log is."""
    tell(store, "thing.made", "thing.moved")
    screen = listen()
    assert next(screen.messages).data["position"] == 2
    tell(store, "thing.ended")
    assert [each.id for each in screen.hear(1)] == [3]
    screen.hang_up()


def test_a_screen_of_another_log_begins_anew(listen: Callable[..., Screen]) -> None:
    """After a restored database, positions would be told that mean something else."""
    screen = listen(after=99)
    [reset] = screen.hear(1)
    assert (reset.kind, reset.data) == ("reset", {"position": 0})
    screen.hang_up()


def test_heartbeats_tell_the_time(
    listen: Callable[..., Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A screen that hears none is out of date and can say so."""
    monkeypatch.setattr(service, "BEAT_S", 0.1)
    screen = listen()
    beats = [next(screen.messages) for _ in range(3)]
    assert [each.kind for each in beats] == ["heartbeat"] * 3
    now = dt.datetime.fromisoformat(beats[-1].data["now"])
    assert abs((dt.datetime.now(dt.UTC) - now).total_seconds()) < 5
    assert beats[-1].id is None
    screen.hang_up()


def test_screens_stay_when_the_connection_dies_and_miss_nothing(
    listen: Callable[..., Screen], store: sessionmaker[Session]
) -> None:
    """What was committed meanwhile is told when the database is back."""
    screen = listen()
    tell(store, "thing.made")
    screen.hear(1)
    with store.begin() as session:
        kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'LISTEN|event'"
        session.execute(text(kill + " AND pid <> pg_backend_pid()"))
        append_event(session, "thing.moved", ("thing", 1), by=SYSTEM, now=NOW)
    tell(store, "thing.ended")
    assert [each.kind for each in screen.hear(2)] == ["thing.moved", "thing.ended"]
    screen.hang_up()


def test_one_screen_too_many_is_told_when_to_come_back(
    listen: Callable[..., Screen], served: Flask, store: sessionmaker[Session]
) -> None:
    """The others are not disturbed, and who leaves makes room."""
    screens = [listen() for _ in range(3)]
    with store() as session:
        headers = bearer(session, "manager")
    refused = served.test_client().get(STREAM, headers=headers)
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    screens.pop().hang_up()
    screens.append(listen())
    tell(store, "thing.made")
    for screen in screens:
        assert screen.hear(1)[0].kind == "thing.made"
        screen.hang_up()


def test_no_connection_is_held_while_screens_listen(
    listen: Callable[..., Screen], served: Flask
) -> None:
    """Else five hundred screens would need five hundred connections."""
    screens = [listen(after=0) for _ in range(3)]
    for screen in screens:
        next(screen.messages)
    assert served.extensions["fieldops.sessions"].kw["bind"].pool.checkedout() == 0
    for screen in screens:
        screen.hang_up()


def test_a_reader_that_is_too_slow_is_sent_away_with_no_gap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it was told has no hole in it; the rest it asks for by its last id."""
    monkeypatch.setattr(service, "BEAT_S", 0.01)
    listener = service.Listener(None)
    for number in range(service.LONGEST_QUEUE + 50):
        listener.tell(f"{number};".encode())
    heard = b"".join(listener.bundles()).decode().rstrip(";").split(";")
    assert heard == [str(number) for number in range(service.LONGEST_QUEUE)]


def test_what_does_not_fit_at_once_is_sent_by_the_own_thread_in_order() -> None:
    """One thread writes to all; none waits for a reader that lags."""
    near, far = socket.socketpair()
    line = line_of({"gunicorn.socket": near, "SERVER_PROTOCOL": "HTTP/1.1"})
    listener = service.Listener(None, line)
    reader = Thread(target=lambda: [line.send_rest(frame(each)) for each in listener.bundles()])  # type: ignore[union-attr]
    reader.start()
    wait_until(lambda: listener.is_direct)
    sent = [b"%d;" % number * 3000 for number in range(150)]
    for bundle in sent[:100]:
        listener.tell(bundle)
    assert not listener.is_direct, "nobody reads, so the line must be full"
    heard = b""
    wanted = b"".join(frame(each) for each in sent)
    while len(heard) < len(wanted) // 2:
        heard += far.recv(1 << 16)
    for bundle in sent[100:]:
        listener.tell(bundle)
    while unframed(heard).count(b";") < 150 * 3000:
        heard += far.recv(1 << 16)
    assert unframed(heard) == b"".join(sent)
    far.close()
    listener.waiting.put(None)
    reader.join()
    assert listener.is_closed()
    near.close()


def frame(bundle: bytes) -> bytes:
    """Write a bundle as gunicorn would."""
    return b"%x\r\n%b\r\n" % (len(bundle), bundle)


def unframed(chunks: bytes) -> bytes:
    """Read chunks; what is not whole yet is left out."""
    whole = b""
    while (end := chunks.find(b"\r\n")) >= 0:
        size = int(chunks[:end], 16)
        if len(chunks) < end + size + 4:
            break
        whole += chunks[end + 2 : end + 2 + size]
        chunks = chunks[end + size + 4 :]
    return whole


def test_everybody_is_let_go_when_the_process_is_told_to_stop(
    listen: Callable[..., Screen], served: Flask
) -> None:
    """Else a restart waits for hundreds of screens."""
    screen = listen()
    served.extensions["fieldops.live"].stop()
    assert [each.kind for each in screen.messages if each.kind != "heartbeat"] == []


def test_the_log_is_read_in_pages_and_by_subject(
    served: Flask, store: sessionmaker[Session]
) -> None:
    """`next` leads on; a subject is named by kind and id."""
    tell(store, "thing.made", "thing.moved", "duty.begun")
    with store() as session:
        headers = bearer(session, "dispatcher")
    client = served.test_client()
    page = client.get("/api/v1/events?after=1&limit=1", headers=headers).get_json()
    assert [each["kind"] for each in page["events"]] == ["thing.moved"]
    assert (page["next"], page["head"]) == (2, 3)
    one = client.get("/api/v1/events?subject=thing:1", headers=headers).get_json()
    assert [each["position"] for each in one["events"]] == [1, 2]
    for wrong in ("after=x", "limit=0", "subject=thing"):
        assert client.get(f"/api/v1/events?{wrong}", headers=headers).status_code == 400
    assert client.get("/api/v1/events?subject=thing:x", headers=headers).status_code == 404
