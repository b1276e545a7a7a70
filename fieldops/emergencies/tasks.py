"""Watching the clocks of emergencies."""

from __future__ import annotations

import datetime as dt

from fieldops import jobs
from fieldops.emergencies import service


@jobs.queue.periodic(cron="* * * * *")
@jobs.queue.task(name="emergencies.raise_overdue", queueing_lock="emergencies.raise_overdue")
def raise_overdue(timestamp: int) -> None:  # noqa: ARG001 - the minute that Procrastinate meant
    """Tell of calls and reports that nobody made in time; what fell into a pause, too."""
    with jobs.transaction() as session:
        service.raise_overdue(session, dt.datetime.now(dt.UTC))
