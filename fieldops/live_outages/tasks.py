"""What follows from a crew's step on an order, where it could not be done at once."""

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
