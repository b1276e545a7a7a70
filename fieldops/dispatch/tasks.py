"""What dispatch does by time: it goes on where nobody answers, sends by itself, and learns."""

from __future__ import annotations

import datetime as dt

from fieldops import jobs
from fieldops.dispatch import service


@jobs.queue.periodic(cron="* * * * * */10")
@jobs.queue.task(name="dispatch.sweep", queueing_lock="dispatch.sweep")
def sweep(timestamp: int) -> None:  # noqa: ARG001 - the queue's signature
    """Take up unanswered offers, whenever they were due, and send what may go by itself."""
    now = dt.datetime.now(dt.UTC)
    with jobs.transaction() as session:
        service.sweep_offers(session, now)
    with jobs.transaction() as session:
        service.run_automatic(session, now)


@jobs.queue.periodic(cron="17 * * * *")
@jobs.queue.task(name="dispatch.learn", queueing_lock="dispatch.learn")
def learn(timestamp: int) -> None:  # noqa: ARG001 - the queue's signature
    """Learn the straight line's factor from the newest trips."""
    with jobs.transaction() as session:
        service.learn(session, dt.datetime.now(dt.UTC))
