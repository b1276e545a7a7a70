"""The queue: it keeps to the transaction, and knows every name that anybody queues by."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from fieldops import jobs
from fieldops.db import make_sessions
from fieldops.settings import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

done: list[str] = []


@jobs.task("tests.remember")
def remember(word: str) -> None:
    """Do something that a test can see."""
    with jobs.transaction() as session:
        session.execute(text("SELECT FROM alembic_version"))
    done.append(word)


@pytest.fixture
def committed(database: str) -> Iterator[sessionmaker[Session]]:
    """Make sessions whose commits are real."""
    done.clear()
    sessions = make_sessions(database)
    yield sessions
    sessions.kw["bind"].dispose()


def work_off(database: str) -> None:
    """Do what is queued, in a thread of its own: Playwright's loop may run in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(jobs.run_worker, database, until_idle=True).result()


def test_work_is_done_once_its_transaction_commits(
    committed: sessionmaker[Session], database: str
) -> None:
    """The worker runs the task with the arguments it was queued with."""
    with committed.begin() as session:
        jobs.enqueue(session, "tests.remember", word="once")
    work_off(database)
    assert done == ["once"]


def test_work_of_a_transaction_that_rolls_back_is_never_done(
    committed: sessionmaker[Session], database: str
) -> None:
    """Neither a rollback nor a savepoint's rollback leaves anything behind."""
    with committed() as session:
        jobs.enqueue(session, "tests.remember", word="rolled back")
        session.rollback()
        with session.begin_nested() as savepoint:
            jobs.enqueue(session, "tests.remember", word="to the savepoint")
            savepoint.rollback()
        jobs.enqueue(session, "tests.remember", word="kept")
        session.commit()
    work_off(database)
    assert done == ["kept"]


def test_nobody_can_queue_work_that_no_feature_does(session: Session) -> None:
    """A slip of the pen shows where it is made, not in the worker's log."""
    with pytest.raises(LookupError, match=r"tests\.forget"):
        jobs.enqueue(session, "tests.forget")


def test_every_name_in_the_source_is_a_task() -> None:
    """Names are text, so nothing but this test holds both ends together."""
    names = {
        name
        for path in (CHECKOUT / "fieldops").rglob("*.py")
        for name in re.findall(r"jobs\.enqueue\(\s*\w+,\s*\"([\w.]+)\"", path.read_text())
    }
    assert "network_files.land" in names
    assert names <= set(jobs.known_tasks())
