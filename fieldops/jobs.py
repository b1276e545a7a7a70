"""
Work for later: queued with the transaction that wants it, done by the worker process.

A feature declares its work in `tasks.py` with `@jobs.task("feature.verb")`, and any service
queues it by that name, so that a lower feature need not import a higher one.
"""

from __future__ import annotations

import asyncio
import pkgutil
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

import procrastinate
from procrastinate.manager import JobManager
from procrastinate.tasks import configure_task

import fieldops
from fieldops.db import CONNECTION_OPTIONS, make_sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from procrastinate.types import JSONValue
    from sqlalchemy.orm import Session, sessionmaker

Work = TypeVar("Work", bound="Callable[..., object]")

STALLED_AFTER_S = 60
"""A worker that has not been heard of for so long is dead, and its jobs are taken up again."""


def find_task_modules() -> list[str]:
    """Name the module of every feature that has work to do."""
    names = [module.name for module in pkgutil.iter_modules(fieldops.__path__) if module.ispkg]
    modules = [f"fieldops.{name}.tasks" for name in names]
    return [module for module in modules if find_spec(module)]


# Neither is ever opened: the first waits for a worker's connector, and the second writes on
# the connection that it is handed.
queue = procrastinate.App(
    connector=procrastinate.SyncPsycopgConnector(), import_paths=find_task_modules()
)
_pen = JobManager(procrastinate.SyncPsycopgConnector())
_workers_sessions: list[sessionmaker[Session]] = []


def task(name: str, *, retry: int = 0) -> Callable[[Work], Work]:
    """Declare a function as work of this name, tried again up to `retry` times if it fails."""

    def declare(work: Work) -> Work:
        queue.task(name=name, retry=retry)(work)
        return work

    return declare


def enqueue(session: Session, name: str, **arguments: JSONValue) -> int:
    """
    Queue work, to be done if and when the session's transaction commits, and give its number.

    Raises
    ------
    LookupError
        If no task has that name.
    """
    tasks = known_tasks()
    if name not in tasks:
        raise LookupError(f"no feature has a task {name!r}")
    return configure_task(
        name=name,
        job_manager=_pen,
        connection=session.connection().connection.driver_connection,
        queue=tasks[name].queue,
    ).defer(**arguments)


def known_tasks() -> dict[str, procrastinate.tasks.Task[..., object, ...]]:
    """Give every task of every feature by its name."""
    queue.perform_import_paths()  # type: ignore[no-untyped-call]
    return queue.tasks


def transaction() -> AbstractContextManager[Session]:
    """Open a session inside a task; it commits on leaving the block, or rolls back on an error."""
    return _workers_sessions[-1].begin()


@contextmanager
def working_on(sessions: sessionmaker[Session]) -> Iterator[None]:
    """Hand tasks these sessions for the time of the block."""
    _workers_sessions.append(sessions)
    try:
        yield
    finally:
        _workers_sessions.remove(sessions)


def run_worker(url: str, *, until_idle: bool = False) -> None:
    """Do what is queued, as it comes, until told to stop; or only what is queued already."""
    sessions = make_sessions(url)
    engine = sessions.kw["bind"]
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    connector = procrastinate.PsycopgConnector(
        conninfo=address, min_size=1, max_size=4, kwargs={"options": CONNECTION_OPTIONS}
    )
    with working_on(sessions), queue.replace_connector(connector):
        asyncio.run(_work(queue, until_idle=until_idle))
    engine.dispose()


async def _work(app: procrastinate.App, *, until_idle: bool) -> None:
    async with app.open_async():
        await app.run_worker_async(
            wait=not until_idle,
            concurrency=2,
            shutdown_graceful_timeout=10,
            delete_jobs="successful",
            install_signal_handlers=not until_idle,
        )


@queue.periodic(cron="* * * * *")
@queue.task(name="jobs.take_up_again", queueing_lock="jobs.take_up_again", pass_context=True)
async def take_up_again(context: procrastinate.JobContext, timestamp: int) -> None:  # noqa: ARG001
    """Queue again what a killed worker left half done."""
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S):
        await manager.retry_job(job)
