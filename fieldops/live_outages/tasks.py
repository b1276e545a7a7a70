"""What follows from a crew's step that could not be done at once, and from time passing."""

from __future__ import annotations

import datetime as dt

from fieldops import jobs
from fieldops.live_outages import service


@jobs.task("live_outages.note_stage", retry=3)
def note_stage(outage_id: str, stage: str, at: str, now: str) -> None:
    """Record that a stage of an outage has happened, and draw its forecasts anew."""
    with jobs.transaction() as session:
        service.note_stage(
            session, outage_id, stage, dt.datetime.fromisoformat(at), dt.datetime.fromisoformat(now)
        )


@jobs.queue.periodic(cron="*/10 * * * *")
@jobs.queue.task(
    name="live_outages.redraw_overtaken", queueing_lock="live_outages.redraw_overtaken"
)
def redraw_overtaken(timestamp: int) -> None:
    """Draw anew the forecasts that time has overtaken, each outage's by itself."""
    now = dt.datetime.fromtimestamp(timestamp, dt.UTC)
    with jobs.transaction() as session:
        names = service.list_overtaken(session, now)
    for outage_id in names:
        with jobs.transaction() as session:
            service.redraw_outage(session, outage_id, now)
