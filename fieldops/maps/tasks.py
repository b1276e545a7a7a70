"""Slow work for the map."""

from __future__ import annotations

from pathlib import Path

from fieldops import jobs
from fieldops.maps.service import bake


@jobs.task("maps.bake", retry=2)
def bake_map(folder: str) -> None:
    """Make the far tiles and the words to search in."""
    with jobs.transaction() as session:
        bake(session, Path(folder))
