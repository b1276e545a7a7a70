"""A receiver of notifications that never answers delays nobody who assigns."""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from fieldops import create_app, jobs
from fieldops.db import make_sessions
from fieldops.events import service as events
from fieldops.events.service import SYSTEM
from fieldops.settings import Settings
from fieldops.work_orders.service import OrderDraft, open_order
from tests.faults.serving import wait_until
from tests.fieldops.work_orders.orders import make_crew
from tests.people import bearer
from tests.sending import operation, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from fieldops.events.service import Event

pytestmark = [pytest.mark.loopback, pytest.mark.slow]

BLACK_HOLE = "tests.tell_a_black_hole"
LIMIT_S = 0.2
ORDERS = 6
WORKER = """
import sys
from fieldops import jobs
import tests.faults.test_operations_beside_slow_work
jobs.run_worker(sys.argv[1])
"""


@jobs.task(BLACK_HOLE)
def tell_a_black_hole(port: int) -> None:
    """Send something to whoever takes the call and never answers."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(b"POST / HTTP/1.1\r\n\r\n")
        line.recv(1)


@pytest.fixture
def black_hole() -> Iterator[socket.socket]:
    """Give a receiver that answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def worker(database: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker that knows the task."""
    process = subprocess.Popen([sys.executable, "-c", WORKER, database])
    yield process
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.usefixtures("worker")
def test_an_assignment_does_not_wait_for_a_black_hole(
    database: str,
    tmp_path: Path,
    black_hole: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is answered in 200 ms while every hand of the worker waits for that receiver."""
    port = black_hole.getsockname()[1]

    def notify(session: Session, _event: Event) -> None:
        jobs.enqueue(session, BLACK_HOLE, port=port)

    known = events.handlers()
    more = {"work_order.assigned": [*known.get("work_order.assigned", ()), notify]}
    monkeypatch.setattr(events, "handlers", lambda: known | more)
    sessions = make_sessions(database)
    now = dt.datetime.now(dt.UTC)
    draft = OrderDraft(kind="repair", severity="leak", lon=120.0, lat=30.0, is_triaged=True)
    with sessions() as session:
        headers = bearer(session, "dispatcher")
        crews = [make_crew(session)[0] for _ in range(ORDERS)]
        orders = [open_order(session, draft, SYSTEM, now).id for _ in crews]
        session.commit()
    app = create_app(Settings(home=tmp_path, database_url=database, secret_key="t"))  # noqa: S106
    client = app.test_client()
    took_s = []
    for order, crew in zip(orders, crews, strict=True):
        wanted = operation(f"work_order:{order}", "assign", body={"crew": crew})
        begun_s = time.perf_counter()
        [result] = send(client, headers, wanted)
        took_s.append(time.perf_counter() - begun_s)
        assert result["status"] == "applied", result
        wait_until(lambda: count_at_work(sessions()) >= min(2, len(took_s)))
    # The first request of a process prepares much that later ones find ready.
    crowding = max(1.0, os.getloadavg()[0] / len(os.sched_getaffinity(0)))
    assert max(took_s[2:]) < LIMIT_S * crowding, took_s
    for engine in (sessions.kw["bind"], app.extensions["fieldops.sessions"].kw["bind"]):
        engine.dispose()


def count_at_work(session: Session) -> int:
    """Count the tasks that the worker is at."""
    query = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing' AND task_name = %s"
    with session:
        cursor = session.connection().connection.cursor()
        cursor.execute(query, (BLACK_HOLE,))
        row = cursor.fetchone()
        assert row is not None
        return int(row[0])
