"""A manager changes the process without code; orders under way keep theirs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from fieldops.errors import ConflictError, FieldopsError
from fieldops.events.service import SYSTEM
from fieldops.order_process.service import (
    NewStage,
    add_need,
    add_stage,
    change_bounds,
    find_process,
    newest_version,
    remove_need,
)
from tests.fieldops.work_orders.orders import BODIES, NOW, act, lead_to, make_cast, make_order
from tests.people import sign_in

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

LABEL = {"field": "own_1", "kind": "number", "label": "管顶埋深", "min": 0.3, "max": 6}


def key_of(session: Session, action: str, state: str) -> tuple[int, int]:
    """Give the newest version, and the key of a step in it."""
    version = newest_version(session)
    process = find_process(session, version)
    found = next(
        each for each in process.transitions if each.action == action and state in each.from_states
    )
    return version, found.key


def test_a_need_that_is_added_holds_for_orders_opened_later(session: Session) -> None:
    """The one under way is finished as it began."""
    cast, other = make_cast(session), make_cast(session)
    before = make_order(session)
    add_need(session, *key_of(session, "finish", "working"), LABEL, SYSTEM, NOW)
    after = make_order(session)
    lead_to(session, before, cast, "work_done")
    lead_to(session, after, other, "working")
    assert act(session, after, "finish", other.crew).missing == ("own_1",)
    for depth, status in ((9, "missing"), (1.2, "applied")):
        body: dict[str, Any] = {**BODIES["finish"], "own_1": depth}
        assert act(session, after, "finish", other.crew, body=body).status == status


def test_a_need_can_go_but_not_what_safety_rests_on(session: Session) -> None:
    """Nobody starts without a briefing, by no version."""
    version, key = key_of(session, "close", "verified")
    assert remove_need(session, version, key, "work_report", SYSTEM, NOW) > version
    version, key = key_of(session, "start", "on_site")
    with pytest.raises(FieldopsError):
        remove_need(session, version, key, "safety_briefing", SYSTEM, NOW)


def test_a_stage_that_is_added_has_to_be_gone_through(session: Session) -> None:
    """The laboratory's result before the verification; holding and sending back work there."""
    cast = make_cast(session)
    version, key = key_of(session, "verify", "restored")
    stage = NewStage(
        title="化验合格",
        step_title="送检",
        before_key=key,
        holder="supervision",
        may=frozenset({"dispatcher"}),
    )
    add_stage(session, version, stage, SYSTEM, NOW)
    order = make_order(session)
    lead_to(session, order, cast, "restored")
    assert act(session, order, "verify", cast.dispatcher).status == "illegal"
    to_it = act(session, order, "to_stage_1", cast.dispatcher)
    assert (to_it.status, to_it.state) == ("applied", "stage_1")
    assert act(session, order, "note", cast.dispatcher).status == "applied"
    back = act(session, order, "send_back", cast.dispatcher)
    assert (back.status, back.state) == ("applied", "restored")
    act(session, order, "to_stage_1", cast.dispatcher)
    assert act(session, order, "verify", cast.dispatcher).state == "verified"
    version, key = key_of(session, "hold", "working")
    with pytest.raises(FieldopsError):
        add_stage(session, version, replace(stage, before_key=key), SYSTEM, NOW)


def test_the_limits_of_a_number_are_policy(session: Session) -> None:
    """A utility that asks for clearer water; what makes no sense is refused."""
    cast = make_cast(session)
    version, key = key_of(session, "restore", "work_done")
    place = (version, key, "turbidity_ntu")
    for bounds in ((0, 1), (2, 0.5)):
        with pytest.raises(FieldopsError):
            change_bounds(session, place, bounds, SYSTEM, NOW)
    change_bounds(session, place, (0, 0.3), SYSTEM, NOW)
    order = make_order(session)
    lead_to(session, order, cast, "work_done")
    assert act(session, order, "restore", cast.crew).missing == ("turbidity_ntu",)


def test_two_managers_do_not_overwrite_each_other(session: Session) -> None:
    """The second looks again."""
    version, key = key_of(session, "finish", "working")
    add_need(session, version, key, LABEL, SYSTEM, NOW)
    with pytest.raises(ConflictError):
        add_need(session, version, key, {**LABEL, "field": "own_2"}, SYSTEM, NOW)


def test_a_manager_does_it_by_page(client: FlaskClient, session: Session) -> None:
    """A need, a stage, and away with a need."""
    csrf = sign_in(client, session, "manager")
    version, key = key_of(session, "finish", "working")
    need = {"version": version, "step": key, "label": "井号", "kind": "text"}
    assert client.post("/process/needs", data=need, headers=csrf).status_code == 302
    assert client.post("/process/needs", data=need, headers=csrf).status_code == 409
    page = client.get("/process").text
    assert "井号" in page
    field = re.search(r'name="field" value="(own_\w+)"', page)
    assert field is not None
    version, key = key_of(session, "finish", "working")
    bounds = {"version": version, "step": key, "field": field[1], "least": "1", "most": ""}
    assert client.post("/process/bounds", data=bounds, headers=csrf).status_code == 404
    removal = {"version": version, "step": key, "field": field[1]}
    assert client.post("/process/removals", data=removal, headers=csrf).status_code == 302
    version, key = key_of(session, "verify", "restored")
    stage = {
        "version": version,
        "step": key,
        "title": "化验合格",
        "step_title": "送检",
        "holder": "supervision",
        "may": ["dispatcher", "manager"],
    }
    assert client.post("/process/stages", data=stage, headers=csrf).status_code == 302
    page = client.get("/process").text
    assert "化验合格" in page
    assert "井号" not in re.sub(r"(?s)<h2>.*", "", page)
    assert client.post("/process/else", data=stage, headers=csrf).status_code == 400
    order = make_order(session)
    cast = make_cast(session)
    lead_to(session, order, cast, "restored")
    session.commit()
    assert "送检" in client.get(f"/orders/{order.id}").text


SAFETY = [
    ("enter_chamber", "on_site", "oxygen_percent"),
    ("enter_chamber", "on_site", "carbon_monoxide_ppm"),
    ("enter_chamber", "on_site", "second_person"),
    ("dig", "working", "owners_asked"),
    ("dig", "working", "road_permit"),
    ("dig", "working", "permit_later_reason"),
]


def test_no_version_goes_without_what_safety_rests_on(session: Session) -> None:
    """Nor does it let worse air pass; it may ask for better."""
    for action, state, name in SAFETY:
        with pytest.raises(FieldopsError):
            remove_need(session, *key_of(session, action, state), name, SYSTEM, NOW)
    place = (*key_of(session, "enter_chamber", "on_site"), "oxygen_percent")
    for bounds in ((None, 23.5), (18, 23.5), (19.5, 25)):
        with pytest.raises(FieldopsError):
            change_bounds(session, place, bounds, SYSTEM, NOW)
    assert change_bounds(session, place, (20, 23), SYSTEM, NOW) > place[0]
