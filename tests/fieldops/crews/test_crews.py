"""What a crew may do, and when it works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fieldops.access import Person, Role
from fieldops.crews.service import (
    crews_of_person,
    find_crew,
    list_crews,
    list_on_call,
    list_visible_crews,
    lock_crew,
)
from fieldops.errors import NotFoundError
from fieldops.rosters import queries
from tests.fieldops.crews.making import DAY, HOUR, NOW, TODAY, make_crew
from tests.people import make_person

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def test_a_skill_counts_up_to_its_last_day(session: Session) -> None:
    """The day is the utility's own: at 23:59 UTC it is tomorrow there."""
    key = make_crew(session, skills=())
    queries.insert_skill(session, key, skill="valve", valid_until=TODAY)
    queries.insert_skill(session, key, skill="excavation", valid_until=TODAY - DAY)
    queries.insert_skill(session, key, skill="welding_pe", valid_until=TODAY)
    queries.insert_skill(session, key, skill="welding_pe")
    crew = find_crew(session, "C-1", NOW)
    assert crew.skills_until == {"valve": TODAY, "welding_pe": None}
    assert crew.skills == {"valve", "welding_pe"}
    assert find_crew(session, "C-1", NOW + 15 * HOUR).skills == {"welding_pe"}


def test_a_skill_needs_its_equipment_and_its_person(session: Session) -> None:
    """A detector whose inspection is over makes no entry into a chamber safe."""
    key = make_crew(session, skills=("confined_space",))
    queries.insert_equipment(
        session, key, name="气体检测仪", for_skill="confined_space", valid_until=TODAY - DAY
    )
    assert find_crew(session, "C-1", NOW).skills == frozenset()
    queries.insert_equipment(
        session, key, name="气体检测仪 2", for_skill="confined_space", valid_until=TODAY + DAY
    )
    assert find_crew(session, "C-1", NOW).skills == {"confined_space"}
    member = queries.insert_member(session, key, name="刘工")
    queries.insert_skill(session, key, skill="welding_pe", member_key=member)
    assert "welding_pe" in find_crew(session, "C-1", NOW).skills
    queries.end_member(session, key, member)
    assert "welding_pe" not in find_crew(session, "C-1", NOW).skills


def test_shifts_and_ranks_are_those_of_the_moment(session: Session) -> None:
    """Who is on call is called in the order of the ranks."""
    first = make_crew(session, "C-1")
    second = make_crew(session, "C-2", on_shift=False)
    span = {"starts_at": NOW - HOUR, "ends_at": NOW + HOUR, "kind": "on_call"}
    queries.insert_shifts(
        session,
        [{**span, "crew_key": first, "rank": 2}, {**span, "crew_key": second, "rank": 1}],
    )
    one, two = list_crews(session, NOW)
    assert (one.on_shift, one.shift_ends_at) == (True, NOW + 8 * HOUR)
    assert (two.on_shift, two.shift_ends_at) == (False, None)
    assert [crew.id for crew in list_on_call(session, NOW)] == ["C-2", "C-1"]
    assert list_on_call(session, NOW + HOUR) == []


def test_everything_of_all_crews_is_one_statement(session: Session, statements: list[str]) -> None:
    """The board asks at every event."""
    for number in range(12):
        make_crew(session, f"C-{number}")
    statements.clear()
    assert len(list_crews(session, NOW)) == 12
    assert len(statements) == 1


def test_a_contractors_people_see_their_own_crew_alone(session: Session) -> None:
    """And somebody of no crew sees none."""
    person_ids = [make_person(session, "crew") for _ in range(3)]
    make_crew(session, "C-1", person_id=person_ids[0])
    make_crew(session, "C-2", person_id=person_ids[1], contractor="安通市政")

    def seen_by(person_id: int, role: Role = Role.CREW) -> list[str]:
        person = Person(id=person_id, name="?", roles=frozenset({role}))
        return [crew.id for crew in list_visible_crews(session, person, NOW)]

    assert seen_by(person_ids[0]) == ["C-1", "C-2"]
    assert seen_by(person_ids[1]) == ["C-2"]
    assert seen_by(person_ids[2]) == []
    assert seen_by(person_ids[2], Role.DISPATCHER) == ["C-1", "C-2"]
    assert [crew.contractor for crew in crews_of_person(session, person_ids[1])] == ["安通市政"]


def test_a_crew_that_is_no_more_is_not_sent(session: Session) -> None:
    """It can still be looked at."""
    make_crew(session, is_active=False)
    assert list_crews(session, NOW) == []
    assert find_crew(session, "C-1", NOW).name == "抢修C-1班"
    with pytest.raises(NotFoundError):
        lock_crew(session, "C-1")
