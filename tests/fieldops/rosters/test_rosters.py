"""Who belongs to a crew and when it works, as the office keeps it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from fieldops.crews.service import find_crew
from fieldops.errors import ConflictError, FieldopsError
from fieldops.events.service import SYSTEM
from fieldops.rosters.service import (
    CrewDraft,
    MemberDraft,
    ShiftDraft,
    add_crew,
    add_member,
    change_crew,
    plan_shifts,
)
from tests.fieldops.crews.making import DAY, HOUR, NOW, make_crew
from tests.people import make_person, sign_in, sign_in_as

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session


def test_two_people_change_a_crew_at_once(session: Session) -> None:
    """What does not touch the other's change is kept; what does is refused."""
    make_crew(session)
    change_crew(session, "C-1", {"phone": "0551-1"}, 1, SYSTEM, NOW)
    change_crew(session, "C-1", {"vehicle": "皖A·1"}, 1, SYSTEM, NOW)
    crew = find_crew(session, "C-1", NOW)
    assert (crew.phone, crew.vehicle, crew.version) == ("0551-1", "皖A·1", 3)
    with pytest.raises(ConflictError, match="0551-1"):
        change_crew(session, "C-1", {"phone": "0551-2"}, 1, SYSTEM, NOW)
    change_crew(session, "C-1", {"phone": "0551-2"}, 3, SYSTEM, NOW)
    assert find_crew(session, "C-1", NOW).phone == "0551-2"


def test_nobody_is_in_two_crews_and_no_number_is_given_twice(session: Session) -> None:
    """Both would make "my jobs" mean two things."""
    make_person(session, "crew", login="zhou")
    add_crew(session, CrewDraft(id="C-1", name="一班"), SYSTEM, NOW)
    add_crew(session, CrewDraft(id="C-2", name="二班"), SYSTEM, NOW)
    with pytest.raises(ConflictError):
        add_crew(session, CrewDraft(id="C-2", name="三班"), SYSTEM, NOW)
    add_member(session, "C-1", MemberDraft(name="周师傅", login="zhou"), SYSTEM, NOW)
    with pytest.raises(ConflictError, match="一班"):
        add_member(session, "C-2", MemberDraft(name="周师傅", login="zhou"), SYSTEM, NOW)


def test_shifts_do_not_double_and_ranks_are_one_crews_each(session: Session) -> None:
    """Shift and standby may touch: a crew is called after its shift."""
    make_crew(session, "C-1", on_shift=False)
    make_crew(session, "C-2", on_shift=False)
    day = ShiftDraft(kind="shift", starts_at=NOW, ends_at=NOW + 8 * HOUR, days=3)
    night = ShiftDraft(kind="on_call", starts_at=NOW, ends_at=NOW + HOUR, rank=1)
    plan_shifts(session, "C-1", day, SYSTEM, NOW)
    plan_shifts(session, "C-1", night, SYSTEM, NOW)
    assert find_crew(session, "C-1", NOW + 2 * DAY + HOUR).on_shift
    assert not find_crew(session, "C-1", NOW + 3 * DAY).on_shift
    with pytest.raises(ConflictError):
        plan_shifts(session, "C-1", day, SYSTEM, NOW)
    with pytest.raises(ConflictError):
        plan_shifts(session, "C-2", night, SYSTEM, NOW)
    plan_shifts(session, "C-2", day, SYSTEM, NOW)
    senseless = (
        ShiftDraft(kind="shift", starts_at=NOW, ends_at=NOW),
        ShiftDraft(kind="shift", starts_at=NOW, ends_at=NOW + 25 * HOUR),
        ShiftDraft(kind="on_call", starts_at=NOW, ends_at=NOW + HOUR),
    )
    for draft in senseless:
        with pytest.raises(FieldopsError):
            plan_shifts(session, "C-2", draft, SYSTEM, NOW)


def test_the_office_keeps_a_crew_by_its_page(client: FlaskClient, session: Session) -> None:
    """Everything that is added is seen, and what soon expires is marked."""
    headers = sign_in(client, session, "dispatcher")

    def post(path: str, **form: object) -> None:
        answer = client.post(path, data=form, headers=headers)
        assert answer.status_code == 302, answer.text

    post("/crews", id="抢-1", name="东站一班", phone="0551-6")
    post("/crews/抢-1/members", name="周师傅", is_leader="on")
    soon = (dt.datetime.now(dt.UTC) + 5 * DAY).date().isoformat()
    post("/crews/抢-1/skills", skill="welding_pe", valid_until=soon)
    post(
        "/crews/抢-1/equipment",
        name="气体检测仪",
        for_skill="confined_space",
        valid_until="2020-01-01",
    )
    post(
        "/crews/抢-1/shifts", kind="shift", starts_at="2030-01-01T08:00", ends_at="2030-01-01T16:00"
    )
    page = client.get("/crews/抢-1", headers=headers).text
    for words in ("周师傅", "焊接与热熔", "即将到期", "气体检测仪", "已过期", "位置未知"):
        assert words in page
    assert "2 项已过期或即将到期" in client.get("/crews", headers=headers).text
    member = find_crew(session, "抢-1", NOW).members[0].key
    post("/crews/抢-1/removals", kind="member", key=member)
    assert find_crew(session, "抢-1", NOW).members == ()
    wrong = client.post("/crews/抢-1/skills", data={"skill": "flying"}, headers=headers)
    assert wrong.status_code == 400


def test_a_contractors_crew_opens_no_other_crews_page(
    client: FlaskClient, session: Session
) -> None:
    """Nor changes its own."""
    member = make_person(session, "crew")
    make_crew(session, "C-1", person_id=member, contractor="安通市政")
    make_crew(session, "C-2")
    headers = sign_in_as(client, session, member)
    assert client.get("/crews/C-1", headers=headers).status_code == 200
    assert client.get("/crews/C-2", headers=headers).status_code == 403
    assert "C-2" not in client.get("/crews", headers=headers).text
    changed = client.post("/crews/C-1/members", data={"name": "?"}, headers=headers)
    assert changed.status_code == 403
