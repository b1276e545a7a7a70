"""The log: written at the commit, in its order, and never changed."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from fieldops.db import make_sessions
from fieldops.events import queries
from fieldops.events.service import SYSTEM, append_event, merge_fields

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

NOW = dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)


def tell(session: Session, kind: str, key: int = 1) -> None:
    """Append an event about an invented subject."""
    append_event(session, kind, ("thing", key), by=SYSTEM, now=NOW, body={"id": f"T-{key}"})


def test_events_are_numbered_at_the_commit_without_gaps(session: Session) -> None:
    """Several transactions, one row of numbers."""
    before = queries.fetch_head(session)
    tell(session, "thing.made")
    tell(session, "thing.moved")
    session.commit()
    tell(session, "thing.ended")
    session.commit()
    events = queries.fetch_events_after(session, before)
    assert [each.kind for each in events] == ["thing.made", "thing.moved", "thing.ended"]
    assert [each.position for each in events] == [before + 1, before + 2, before + 3]
    assert events[0].received_at == NOW


def test_what_is_rolled_back_is_not_told(session: Session) -> None:
    """Neither of a whole transaction nor of a savepoint."""
    before = queries.fetch_head(session)
    tell(session, "thing.lost")
    session.rollback()
    tell(session, "thing.kept")
    inner = session.begin_nested()
    tell(session, "thing.lost")
    inner.rollback()
    with session.begin_nested():
        tell(session, "thing.kept")
    session.commit()
    kinds = [each.kind for each in queries.fetch_events_after(session, before)]
    assert kinds == ["thing.kept", "thing.kept"]


@pytest.mark.parametrize(
    "change", ["UPDATE event SET kind = 'x'", "DELETE FROM event", "TRUNCATE event"]
)
def test_the_application_cannot_change_what_was_told(database: str, change: str) -> None:
    """Its role has no right to, and a trigger stands behind that."""
    sessions = make_sessions(database)
    with sessions.begin() as session:
        tell(session, "thing.made")
    with pytest.raises(ProgrammingError), sessions.begin() as session:
        session.execute(text(change))
    with sessions.begin() as session:
        session.execute(text("GRANT ALL ON event TO CURRENT_USER"))
    with pytest.raises(ProgrammingError, match="never changed"), sessions.begin() as session:
        session.execute(text(change))
    sessions.kw["bind"].dispose()


def test_a_field_that_somebody_else_changed_is_a_conflict_and_the_others_apply() -> None:
    """Unless both want the same."""
    merged = merge_fields(
        {"cause": "frost", "note": "a", "depth": 2},
        {"cause": 5, "note": 2, "depth": 5},
        4,
        {"cause": "corrosion", "note": "b", "depth": 2},
    )
    assert merged.applied == {"note": "b", "depth": 2}
    assert merged.conflicts == {"cause": {"mine": "corrosion", "theirs": "frost"}}
