"""Crews for tests."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from fieldops.crews.models import SKILLS
from fieldops.rosters import queries

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

NOW = dt.datetime(2026, 7, 1, 2, 0, tzinfo=dt.UTC)
"""Ten in the morning where the utility is."""
TODAY = dt.date(2026, 7, 1)
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def make_crew(
    session: Session,
    crew_id: str = "C-1",
    *,
    person_id: int | None = None,
    skills: tuple[str, ...] = SKILLS,
    on_shift: bool = True,
    **values: object,
) -> int:
    """Make a crew that works now, with its leader, and give its key."""
    key = queries.insert_crew(session, id=crew_id, **{"name": f"抢修{crew_id}班", **values})
    assert key is not None
    queries.insert_member(session, key, name="周师傅", is_leader=True, person_id=person_id)
    for skill in skills:
        queries.insert_skill(session, key, skill=skill)
    if on_shift:
        shift = {"crew_key": key, "kind": "shift", "rank": None}
        queries.insert_shifts(
            session, [{**shift, "starts_at": NOW - HOUR, "ends_at": NOW + 8 * HOUR}]
        )
    return key
