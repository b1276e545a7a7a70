"""SQL of what screens hear."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from fieldops.db import make_engine
from fieldops.events import queries as events

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fieldops.events.queries import Event

LOST = (SQLAlchemyError, psycopg.Error, OSError)
"""What a connection raises whose database has gone."""

AUDIENCE = text("""
    SELECT 'work_order', o.key, c.id FROM work_order o
        JOIN crew c ON c.key IN (o.crew_key, o.second_crew_key)
        WHERE o.key = ANY(:orders)
    UNION
    SELECT 'incident', o.incident_key, c.id FROM work_order o
        JOIN crew c ON c.key IN (o.crew_key, o.second_crew_key)
        WHERE o.incident_key = ANY(:incidents)
    UNION
    SELECT 'outage', t.key, c.id FROM outage t
        JOIN work_order o ON o.incident_key = t.incident_key OR o.outage_key = t.key
        JOIN crew c ON c.key IN (o.crew_key, o.second_crew_key)
        WHERE t.key = ANY(:outages)
""")


def fetch_audience(session: Session, told: Sequence[Event]) -> dict[tuple[str, int], set[str]]:
    """Read which crews work on the orders, incidents and outages that events are about."""
    keys: dict[str, set[int]] = defaultdict(set)
    for event in told:
        keys[event.subject_kind].add(event.subject_key)
    names = {"orders": "work_order", "incidents": "incident", "outages": "outage"}
    wanted = {name: sorted(keys[kind]) for name, kind in names.items()}
    found: dict[tuple[str, int], set[str]] = defaultdict(set)
    if any(wanted.values()):
        for kind, key, crew in session.execute(AUDIENCE, wanted):
            found[kind, key].add(crew)
    return found


@dataclass(frozen=True, slots=True)
class Feed:
    """The log as it grows, over a connection of its own."""

    session: Session

    def head(self) -> int:
        """Read the newest position."""
        return events.fetch_head(self.session)

    def after(self, position: int, limit: int) -> list[Event]:
        """Read what happened after a position."""
        found = events.fetch_events_after(self.session, position, limit)
        self.session.expunge_all()
        return found

    def audience(self, told: Sequence[Event]) -> dict[tuple[str, int], set[str]]:
        """Read which crews events are for."""
        return fetch_audience(self.session, told)

    def wait(self, patience_s: float) -> bool:
        """Wait until something is committed, at most so long, and tell whether it was."""
        driver = self.session.connection().connection.driver_connection
        assert driver is not None  # noqa: S101 - the connection is open
        return any(True for _ in driver.notifies(timeout=patience_s, stop_after=1))


@contextmanager
def open_feed(url: str) -> Iterator[Feed]:
    """Listen to the log until the block is left."""
    engine = make_engine(url, pool_size=1)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("LISTEN event")
            with Session(connection) as session:
                yield Feed(session)
    finally:
        engine.dispose()
