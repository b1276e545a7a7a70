"""What `fieldops serve` does when its processes are killed, or it is itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fieldops import jobs
from fieldops.db import make_sessions
from fieldops.embedded_postgres import Cluster
from tests.faults.serving import Served, serving, start, wait_until
from tests.homes import empty_folder, processes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.loopback, pytest.mark.slow]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Serve one home for all tests that leave it serving."""
    with serving() as served:
        yield served


@pytest.mark.parametrize(
    "words", [("gunicorn",), ("main()", "worker"), ("postgres", "-k")], ids=["web", "worker", "db"]
)
def test_what_is_killed_is_started_again(served: Served, words: tuple[str, ...]) -> None:
    """Web process, worker and database alike; nothing of the killed one is left."""
    wait_until(served.is_healthy)
    wait_until(lambda: served.find(*words))
    killed = served.find(*words)
    served.kill(killed[0])
    wait_until(lambda: set(served.find(*words)) - set(killed))
    wait_until(served.is_healthy)


def test_a_killed_web_worker_leaves_the_address_to_its_successor(served: Served) -> None:
    """The process below gunicorn's own dies alone, too."""
    wait_until(served.web_workers)
    [killed] = served.web_workers()
    served.kill(killed)
    wait_until(lambda: served.web_workers() and killed not in served.web_workers())
    wait_until(served.is_healthy)


def test_a_standby_takes_over_from_a_killed_web_process(served: Served) -> None:
    """It has loaded everything before; another one then stands by."""
    wait_until(served.is_covered)
    killed = served.web_process()
    served.kill(killed)
    wait_until(served.is_healthy, every_s=0.02)
    wait_until(lambda: served.web_process() not in {0, killed})
    wait_until(served.is_covered)


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
