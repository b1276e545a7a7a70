"""Two crews at once: what the database holds when transactions really run side by side."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from fieldops.db import make_sessions
from fieldops.events.service import Operation
from fieldops.live_outages.service import apply_operation
from tests.fieldops.live_outages.jobs import DISPATCHER, Job, at
from tests.fieldops.live_outages.towns import three_in_a_row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session, sessionmaker

pytestmark = pytest.mark.slow
TAGGED_AND_OPEN = (
    "SELECT count(*) FROM valve_tag t JOIN valve v ON v.key = t.device_key"
    " WHERE t.taken_off_at IS NULL AND v.position = 'open'"
)


def race(sessions: sessionmaker[Session], outages: tuple[str, str], tag: str) -> dict[str, str]:
    """Open V2 for the one job while the other hangs a tag on it, and give both answers."""
    said: dict[str, str] = {}
    begin = threading.Barrier(2)

    def act(outage: str, action: str, body: Mapping[str, object]) -> None:
        operation = Operation(subject_kind="outage", subject_id=outage, action=action, body=body)
        begin.wait()
        with sessions.begin() as session:
            said[action] = apply_operation(session, operation, DISPATCHER, at(100)).status

    deeds = (
        ("reopen_valve", {"valve": "V2"}),
        ("confirm_valve", {"valve": "V2", "result": "closed_tight", "tag": tag}),
    )
    threads = [
        threading.Thread(target=partial(act, outage, action, body))
        for outage, (action, body) in zip(outages, deeds, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


def test_a_valve_is_not_opened_while_somebody_else_tags_it(database: str) -> None:
    """Whoever comes first, the valve never stands open with a tag on it."""
    sessions = make_sessions(database)
    with sessions.begin() as session:
        three_in_a_row().plant(session)
    for tag in ("T1", "T2", "T3"):
        with sessions.begin() as session:
            one = Job(session, "P3").close_valve("V2", 10)
            other = Job(session, "P2", minute=12).close_valve("V1", 20)
            one.must("stage", 60, stage="repaired")
        said = race(sessions, (one.id, other.id), tag)
        with sessions.begin() as session:
            assert session.execute(text(TAGGED_AND_OPEN)).scalar_one() == 0
            one.session = other.session = session
            finish(one, other, tag)
        assert said["confirm_valve"] == "applied"
        assert said["reopen_valve"] in {"applied", "illegal"}
    sessions.kw["bind"].dispose()


def finish(one: Job, other: Job, tag: str) -> None:
    """Bring both jobs to their end."""
    other.must("stage", 110, stage="repaired")
    if one.states["V2"][1] == "closed_tight":
        one.must("reopen_valve", 111, valve="V2", result="handed_over")
    other.open_valve("V2", 112, tag=tag).open_valve("V1", 113)
    one.must("close", 114)
    other.must("close", 114)
