"""Packs are made when the drawing of the network has come to rest."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from fieldops import jobs
from fieldops.packs import queries
from fieldops.packs.service import bake, is_due, packs_folder
from fieldops.settings import Settings


@jobs.task("packs.bake", retry=2)
def bake_packs(folder: str, district: str | None = None) -> None:
    """Make the packs that are old, and the one that was asked for."""
    with jobs.transaction() as session:
        queries.see_one_state(session)
        bake(session, Path(folder), dt.datetime.now(dt.UTC), asked=district)


@jobs.queue.periodic(cron="* * * * *")
@jobs.queue.task(name="packs.watch", queueing_lock="packs.watch")
def watch_drawing(timestamp: int) -> None:  # noqa: ARG001 - late runs go by the clock
    """Make the packs anew once the network has been left alone for a while."""
    with jobs.transaction() as session:
        is_wanted = is_due(session, dt.datetime.now(dt.UTC))
    if is_wanted:
        bake_packs(str(packs_folder(Settings.from_environ())))
