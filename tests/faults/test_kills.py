"""What `fieldops serve` does when its processes are killed, or it is itself."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fieldops import jobs
from fieldops.db import make_sessions
from fieldops.embedded_postgres import Cluster
from tests.homes import empty_folder, processes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.loopback, pytest.mark.slow]
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Served:
    """A running `fieldops serve`."""

    home: Path
    port: int
    process: subprocess.Popen[bytes]

    def is_healthy(self) -> bool:
        """Tell whether /healthz answers well."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as got:
                return bool(json.load(got)["status"] == "ok")
        except (urllib.error.URLError, OSError):
            return False

    def find(self, *words: str) -> list[int]:
        """Find the processes of this home whose command has all the words."""
        return [
            pid for pid in sorted(processes_of(self.home)) if all(w in command(pid) for w in words)
        ]


def command(pid: int) -> str:
    """Give the command line of a process, empty once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def wait_until(happens: Callable[[], object]) -> None:
    """Wait for something, for a while at most."""
    deadline = time.monotonic() + PATIENCE_S
    while not happens():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)


def start(home: Path, log_name: str = "serve.log") -> Served:
    """Start `fieldops serve` on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FIELDOPS_")}
    with (home.parent / log_name).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", "from fieldops.cli import main; main()", "serve"],
            env=environment | {"FIELDOPS_HOME": str(home), "PORT": str(port)},
            stdout=log,
            stderr=log,
        )
    return Served(home, port, process)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Serve one home for all tests that leave it serving."""
    with empty_folder() as folder:
        served = start(folder / "home")
        wait_until(served.is_healthy)
        yield served
        served.process.terminate()
        assert served.process.wait(30) == 0
        assert processes_of(served.home) == set()


@pytest.mark.parametrize(
    "words", [("gunicorn",), ("main()", "worker"), ("postgres", "-k")], ids=["web", "worker", "db"]
)
def test_what_is_killed_is_started_again(served: Served, words: tuple[str, ...]) -> None:
    """Web process, worker and database alike; nothing of the killed one is left."""
    wait_until(served.is_healthy)
    wait_until(lambda: served.find(*words))
    killed = served.find(*words)
    os.kill(killed[0], signal.SIGKILL)
    wait_until(lambda: not command(killed[0]))
    wait_until(lambda: set(served.find(*words)) - set(killed))
    wait_until(served.is_healthy)


def test_a_killed_web_worker_leaves_the_address_to_its_successor(served: Served) -> None:
    """The process below gunicorn's own dies alone, too."""
    wait_until(lambda: len(served.find("gunicorn")) == 2)
    killed = served.find("gunicorn")[-1]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: len(served.find("gunicorn")) == 2 and killed not in served.find("gunicorn"))
    wait_until(served.is_healthy)


def test_the_worker_does_what_is_queued(served: Served) -> None:
    """It hears of new work without being asked."""
    wait_until(served.is_healthy)
    sessions = make_sessions(Cluster(served.home).url())
    with sessions.begin() as session:
        number = jobs.enqueue(session, "jobs.take_up_again", timestamp=0)

    def is_done() -> bool:
        query = "SELECT FROM procrastinate_jobs WHERE id = %s"
        with sessions() as session:
            driver = session.connection().connection.cursor()
            driver.execute(query, (number,))
            return bool(driver.rowcount == 0)

    wait_until(is_done)
    sessions.kw["bind"].dispose()


def test_a_home_is_served_once(served: Served) -> None:
    """Whoever comes second is told who was first, and changes nothing."""
    second = start(served.home, "second.log")
    assert second.process.wait(30) == 2
    log = (served.home.parent / "second.log").read_text()
    assert str(served.process.pid) in log
    assert "Traceback" not in log
    assert served.is_healthy()


def test_nothing_outlives_a_killed_supervisor() -> None:
    """Neither web process nor worker nor database is left to be found by hand."""
    with empty_folder() as folder:
        served = start(folder / "home")
        wait_until(served.is_healthy)
        served.process.kill()
        served.process.wait()
        wait_until(lambda: not processes_of(served.home))
