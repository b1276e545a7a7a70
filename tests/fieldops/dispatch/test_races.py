"""Two dispatchers at once: threads, and commits that are real."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from fieldops.db import make_sessions
from fieldops.dispatch.service import assign
from fieldops.work_orders.service import find_order
from tests.fieldops.dispatch.boards import NOW, dispatcher, open_job, place_crew, step

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from fieldops.events.service import Actor, Outcome


@pytest.mark.parametrize("races", [40, pytest.param(200, marks=pytest.mark.long)])
@pytest.mark.slow
def test_of_two_dispatchers_one_wins_the_crew_and_the_other_sees_why(
    database: str, races: int
) -> None:
    """Over one crew and two orders, or one order and two crews."""
    sessions = make_sessions(database)
    with sessions.begin() as session:
        who = [dispatcher(session, "王芳"), dispatcher(session, "李强")]
        for crew in ("C-1", "C-2"):
            place_crew(session, crew, 0.0)
        orders = [open_job(session, 0.01).id, open_job(session, 0.02).id]
    with ThreadPoolExecutor(2) as pool:
        for race in range(races):
            crews = ["C-1", "C-1"] if race % 2 else ["C-1", "C-2"]
            wanted = orders if race % 2 else [orders[0]] * 2
            start = Barrier(2)
            found = list(
                pool.map(
                    lambda wish, start=start: race_for(sessions, start, *wish),
                    zip(wanted, crews, who, strict=True),
                )
            )
            check_and_clear(sessions, found, who, orders)
    sessions.kw["bind"].dispose()


def race_for(
    sessions: sessionmaker[Session], start: Barrier, order: str, crew: str, who: Actor
) -> Outcome:
    """Send a crew as soon as the other is ready to, too."""
    with sessions.begin() as session:
        start.wait()
        return assign(session, order, crew, who, NOW)


def check_and_clear(
    sessions: sessionmaker[Session], found: list[Outcome], who: list[Actor], orders: list[str]
) -> None:
    """See that one won, and take the crew back for the next race."""
    assert sorted(each.status for each in found) == ["applied", "conflict"]
    lost = next(each for each in found if each.status == "conflict")
    winner = who[[each.status for each in found].index("applied")]
    assert winner.name in lost.message % lost.params
    assert "10:00" in lost.message % lost.params
    with sessions.begin() as session:
        busy = [order for order in orders if find_order(session, order).crew_id]
        assert len(busy) == 1
        step(session, busy[0], "withdraw", reason="再来")
