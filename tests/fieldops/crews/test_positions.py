"""Where crews are: new beats old, and clocks that run ahead are not believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from fieldops.crews.service import apply_operation, find_crew, record_position
from fieldops.events.service import SYSTEM, Actor, Operation
from tests.fieldops.crews.making import DAY, HOUR, MINUTE, NOW, make_crew
from tests.people import make_person

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.orm import Session

    from fieldops.crews.queries import Crew
    from fieldops.events.service import Outcome


def tell(session: Session, lon: float, at: dt.datetime, now: dt.datetime = NOW) -> Outcome:
    """Let the crew tell a place on the parallel of 31 degrees."""
    return record_position(session, "C-1", lon, 31.0, at, 8.0, SYSTEM, now)


def crew(session: Session, now: dt.datetime = NOW) -> Crew:
    """Give the crew."""
    return find_crew(session, "C-1", now)


def kinds(session: Session) -> list[str]:
    """Commit, and name what the log says."""
    session.commit()
    rows = session.execute(text("SELECT kind FROM event WHERE subject_kind = 'crew' ORDER BY 1"))
    return list(rows.scalars())


def test_a_newer_position_replaces_the_one_before(session: Session) -> None:
    """And its age is told from the device's clock."""
    make_crew(session)
    assert crew(session).is_position_stale, "a crew that never told its place is not known"
    tell(session, 117.0, NOW - 2 * MINUTE)
    tell(session, 117.1, NOW - MINUTE)
    assert (crew(session).lon, crew(session).position_at) == (117.1, NOW - MINUTE)
    assert not crew(session).is_position_stale
    assert crew(session, NOW + 15 * MINUTE).is_position_stale
    assert kinds(session) == ["crew.moved", "crew.moved"]


def test_an_older_position_moves_nothing_but_is_kept(session: Session) -> None:
    """A tablet without signal sends its places late."""
    make_crew(session)
    tell(session, 117.1, NOW - MINUTE)
    late = tell(session, 117.0, NOW - HOUR)
    assert late.status == "applied"
    assert late.is_kept_as_fact
    assert crew(session).lon == 117.1
    assert kinds(session) == ["crew.moved", "crew.position_kept"]


def test_a_clock_two_days_ahead_is_not_believed(session: Session) -> None:
    """Else no true position would ever count again."""
    make_crew(session)
    tell(session, 117.0, NOW + 2 * DAY)
    doubted = crew(session)
    assert (doubted.lon, doubted.position_at) == (117.0, NOW)
    assert doubted.is_position_doubted
    assert doubted.is_position_stale
    tell(session, 117.2, NOW + MINUTE, NOW + 2 * MINUTE)
    assert crew(session, NOW + 2 * MINUTE).lon == 117.2
    assert not crew(session, NOW + 2 * MINUTE).is_position_stale
    told = tell(session, 117.3, NOW + 2 * DAY, NOW + 3 * MINUTE)
    assert told.is_kept_as_fact, "a fresh true place beats one with a false time"
    assert crew(session).lon == 117.2


def test_only_the_crew_itself_or_a_dispatcher_tells_its_position(session: Session) -> None:
    """The dispatcher's is marked as told by phone."""
    member = make_person(session, "crew")
    make_crew(session, person_id=member)
    operation = Operation(
        subject_kind="crew",
        subject_id="C-1",
        action="position",
        body={"lon": 117.0, "lat": 31.0},
        occurred_at=NOW,
    )

    def tell_as(person_id: int, role: str) -> str:
        actor = Actor(name="王芳", person_id=person_id, roles=frozenset({role}))
        return apply_operation(session, operation, actor, NOW).status

    assert tell_as(make_person(session, "crew"), "crew") == "forbidden"
    assert tell_as(make_person(session, "service_agent"), "service_agent") == "forbidden"
    assert crew(session).lon is None
    assert tell_as(member, "crew") == "applied"
    session.execute(text("UPDATE crew SET position_at = NULL, lon = NULL, lat = NULL"))
    assert tell_as(make_person(session, "dispatcher"), "dispatcher") == "applied"
    session.commit()
    told = session.execute(text("SELECT by_phone_for FROM event ORDER BY position"))
    assert list(told.scalars()) == [None, "抢修C-1班"]


def test_an_operation_that_cannot_be_read_is_refused_in_words(session: Session) -> None:
    """And other actions there are none."""
    make_crew(session)
    wrong = Operation(
        subject_kind="crew", subject_id="C-1", action="position", body={"lon": 999, "at": "now"}
    )
    outcome = apply_operation(session, wrong, SYSTEM, NOW)
    assert (outcome.status, outcome.params) == ("illegal", {"fields": "at, lat, lon"})
    other = Operation(subject_kind="crew", subject_id="C-1", action="fly")
    assert apply_operation(session, other, SYSTEM, NOW).status == "illegal"
