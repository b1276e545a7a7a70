"""The ladder is climbed by time alone."""

from __future__ import annotations

import datetime as dt

from fieldops import jobs
from fieldops.clocks.service import escalate


@jobs.queue.periodic(cron="* * * * * */10")
@jobs.queue.task(name="clocks.escalate", queueing_lock="clocks.escalate")
def escalate_what_is_due(timestamp: int) -> None:  # noqa: ARG001 - late runs go by the clock
    """Raise each step that was reached; after a pause, also those that were reached in it."""
    with jobs.transaction() as session:
        escalate(session, dt.datetime.now(dt.UTC))
