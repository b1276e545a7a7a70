"""The calendar fills itself."""

from __future__ import annotations

import datetime as dt

from fieldops import jobs
from fieldops.commitments.service import fill_calendars


@jobs.queue.periodic(cron="* * * * *")
@jobs.queue.task(name="commitments.fill", queueing_lock="commitments.fill")
def fill(timestamp: int) -> None:
    """Keep the holidays of last year, this and the next, as soon as they are announced."""
    with jobs.transaction() as session:
        fill_calendars(session, dt.datetime.fromtimestamp(timestamp, dt.UTC))
