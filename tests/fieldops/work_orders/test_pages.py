"""Pages and API of work orders, by role."""

from __future__ import annotations

import datetime as dt
import io
import re
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from fieldops.order_process.forms import say_value
from fieldops.work_orders.service import find_order
from tests.fieldops.work_orders.orders import act, lead_to, make_cast, make_order
from tests.people import bearer, sign_in, sign_in_as

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

NOW = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5)


def test_a_dispatcher_leads_an_order_by_the_api(client: FlaskClient, session: Session) -> None:
    """Refusals answer with their own status and their reason; what lacks is listed."""
    cast = make_cast(session)
    order = make_order(session, NOW)
    headers = bearer(session, "dispatcher")
    url = f"/api/v1/orders/{order.id}"
    assert client.post(f"{url}/triage", json={}, headers=headers).json == {
        "status": "applied",
        "state": "triaged",
        "version": 2,
        "conflicts": {},
    }
    refused = client.post(f"{url}/triage", json={}, headers=headers)
    assert refused.status_code == 409
    assert refused.json is not None
    assert "已受理" in refused.json["detail"]
    lead = act(session, order, "assign", cast.dispatcher, NOW, body={"crew": cast.crew_id})
    assert lead.status == "applied"
    session.commit()
    alone = client.post(f"{url}/accept", json={}, headers=headers)
    assert alone.status_code == 403
    phone = {"by_phone_for": "王芳", "occurred_at": NOW.isoformat(), "version": 3}
    assert client.post(f"{url}/accept", json=phone, headers=headers).status_code == 200
    lacking = client.post(f"{url}/hold", json={"reason": "等"}, headers=headers)
    assert lacking.status_code == 422
    assert lacking.json is not None
    assert [each["field"] for each in lacking.json["missing"]] == ["resume_by"]
    assert client.post("/api/v1/orders/W-0/triage", headers=headers).status_code == 404
    assert client.get("/api/v1/orders/W-1%00", headers=headers).status_code == 404
    assert client.get("/api/v1/orders?crew=%00", headers=headers).status_code == 400
    assert client.post(f"{url}/note", json={"text": "\ud800"}, headers=headers).status_code == 400
    for odd in ({"version": "x"}, ["list"], {"reason": "\0", "resume_by": "x"}):
        assert client.post(f"{url}/hold", json=odd, headers=headers).status_code == 400


def test_an_order_is_told_whole(client: FlaskClient, session: Session) -> None:
    """With the steps that this person may take, its clocks and its holders."""
    cast = make_cast(session)
    order = make_order(session, NOW)
    lead_to(session, order, cast, "triaged")
    headers = bearer(session, "dispatcher")
    told = client.get(f"/api/v1/orders/{order.id}", headers=headers).json
    assert told is not None
    assert (told["id"], told["state"], told["customers_out"]) == (order.id, "triaged", None)
    assert {"assign", "hold", "cancel"} <= {each["action"] for each in told["steps"]}
    assert "accept" not in {each["action"] for each in told["steps"]}
    assert {each["kind"] for each in told["clocks"]} == {"arrive", "repair", "restore"}
    assert [each["holder"] for each in told["holders"]] == ["dispatch"], "at the same instant"
    found = client.get("/api/v1/orders?state=triaged&kind=repair", headers=headers).json
    assert found is not None
    assert order.id in {each["id"] for each in found["orders"]}
    none = client.get("/api/v1/orders?state=working&crew=X-1", headers=headers).json
    assert none == {"orders": []}


def test_a_crew_reads_its_own_orders_and_nothing_else(
    client: FlaskClient, session: Session
) -> None:
    """Neither by page nor by API, nor by a step."""
    cast = make_cast(session)
    own, other = make_order(session, NOW), make_order(session, NOW)
    lead_to(session, own, cast, "assigned")
    act(session, other, "assign", cast.dispatcher, NOW, body={"crew": cast.other_crew_id})
    assert cast.crew.person_id is not None
    csrf = sign_in_as(client, session, cast.crew.person_id)
    page = client.get("/my-jobs").text
    assert own.id in page
    assert other.id not in page
    assert client.get("/orders").status_code == 403
    assert client.get(f"/orders/{own.id}").status_code == 200
    assert client.get(f"/orders/{other.id}").status_code == 404
    listed = client.get("/api/v1/orders").json
    assert listed is not None
    assert [each["id"] for each in listed["orders"]] == [own.id]
    assert client.get(f"/api/v1/orders/{other.id}").status_code == 404
    for path in (f"/api/v1/orders/{other.id}/accept", f"/orders/{other.id}/accept"):
        assert client.post(path, json={}, headers=csrf).status_code == 404
    assert client.post(f"/orders/{own.id}/accept", headers=csrf).status_code == 302
    assert find_order(session, own.id).state == "accepted"


def test_the_page_offers_legal_steps_with_what_they_need(
    client: FlaskClient, session: Session
) -> None:
    """And none that would be refused."""
    cast = make_cast(session)
    order = make_order(session, NOW)
    lead_to(session, order, cast, "working")
    sign_in(client, session, "dispatcher")
    page = client.get(f"/orders/{order.id}?lang=en").text
    steps = set(re.findall(rf'action="/orders/{order.id}/(\w+)"', page))
    crews = {"enter_chamber", "dig", "hold", "finish", "hand_over"}
    assert steps == crews | {"transfer", "cancel", "set", "note"}
    assert 'name="by_phone_for"' in page
    assert 'name="photo_before_backfill"' in page
    for text in ("Who had it", "Clocks", "History", "王芳"):
        assert text in page


def test_the_page_names_the_skills_that_are_needed(client: FlaskClient, session: Session) -> None:
    """Not their codes."""
    order = make_order(session, NOW, skills=("valve", "welding_pe"))
    sign_in(client, session, "dispatcher")
    page = client.get(f"/orders/{order.id}?lang=en").text
    assert "<dd>close/open valve, welding and butt fusion (PE)</dd>" in page


def photo() -> bytes:
    """Draw a small photo."""
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), "brown").save(stream, "JPEG")
    return stream.getvalue()


def test_a_crew_finishes_by_page_with_photos(client: FlaskClient, session: Session) -> None:
    """What lacks is named, and what was filled in stays, photos too."""
    cast = make_cast(session)
    order = make_order(session, NOW)
    lead_to(session, order, cast, "working")
    assert cast.crew.person_id is not None
    csrf = sign_in_as(client, session, cast.crew.person_id)
    url = f"/orders/{order.id}/finish"
    fields = {"cause": "corrosion", "repair": "哈夫节", "material": "DN200", "version": "6"}
    upload = {name: (io.BytesIO(photo()), f"{name}.jpg") for name in ("photo_before_backfill",)}
    refused = client.post(url, data={**fields, **upload}, headers=csrf)
    assert refused.status_code == 422
    assert "回填后照片" in refused.text
    kept = re.search(r'name="photo_before_backfill_kept" value="(\w{64})"', refused.text)
    assert kept is not None
    assert "DN200" in refused.text
    rest = {
        "photo_before_backfill_kept": kept[1],
        "photo_after": (io.BytesIO(photo()), "after.jpg"),
    }
    done = client.post(url, data={**fields, **rest}, headers=csrf)
    assert done.status_code == 302
    after = find_order(session, order.id)
    assert (after.state, after.data["photo_before_backfill"]) == ("work_done", kept[1])


def test_the_page_says_moments_by_the_clock_of_the_place_and_none_only_where_it_is_known(
    app: Flask,
) -> None:
    """A list of valves or tags is sent whole, or not at all; nothing else says "none"."""
    with app.test_request_context("/?lang=en"):
        assert say_value("permit_due_at", "2026-11-23T20:30:00+00:00") == "2026-11-24 04:30"
        assert say_value("tags", []) == say_value("valves_shut", []) == "none"
        assert say_value("parts", []) == say_value("owners_asked", "") == "not told yet"
        assert (
            say_value("parts", [{"name": "DN100", "quantity": 1.0}])
            == "DN100 \N{MULTIPLICATION SIGN} 1.0"
        )
        assert (say_value("ventilated", True), say_value("cause", "frost")) == (  # noqa: FBT003
            "yes",
            "frost burst",
        )


def test_the_page_shows_them(client: FlaskClient, session: Session) -> None:
    """Beside the documents of the order."""
    cast = make_cast(session)
    order = make_order(session, NOW)
    lead_to(session, order, cast, "working")
    due_at = NOW + dt.timedelta(hours=20)
    later = {"permit_later_reason": "抢修", "permit_due_at": due_at.isoformat()}
    act(session, order, "set", cast.dispatcher, NOW, body=later)
    sign_in(client, session, "dispatcher")
    page = client.get(f"/orders/{order.id}?lang=en").text
    local = due_at.astimezone(dt.timezone(dt.timedelta(hours=8)))
    assert f"<dd>{local:%Y-%m-%d %H:%M}</dd>" in page


def test_a_page_records_a_call_with_both_names_and_times(
    client: FlaskClient, session: Session
) -> None:
    """The time is read on the local clock."""
    cast = make_cast(session)
    order = make_order(session, NOW)
    act(session, order, "assign", cast.dispatcher, NOW, body={"crew": cast.crew_id})
    csrf = sign_in(client, session, "dispatcher")
    local = (NOW + dt.timedelta(hours=8, minutes=2)).strftime("%Y-%m-%dT%H:%M")
    fields = {"by_phone_for": "王芳", "occurred_at": local, "version": "2"}
    done = client.post(f"/orders/{order.id}/accept", data=fields, headers=csrf)
    assert done.status_code == 302
    page = client.get(f"/orders/{order.id}").text
    assert "代王芳电话记录" in page


def test_a_late_fact_is_shown_on_top_of_the_order(client: FlaskClient, session: Session) -> None:
    """The crew that had it once says by the API that it arrived; it may not read the order."""
    cast = make_cast(session)
    order = make_order(session, NOW)
    lead_to(session, order, cast, "en_route")
    body = {"crew": cast.other_crew_id, "reason": "更近"}
    act(session, order, "transfer", cast.dispatcher, NOW + dt.timedelta(minutes=1), body=body)
    assert cast.crew.person_id is not None
    csrf = sign_in_as(client, session, cast.crew.person_id)
    late = client.post(f"/api/v1/orders/{order.id}/arrive", json={}, headers=csrf)
    assert late.status_code == 409
    assert client.get(f"/api/v1/orders/{order.id}").status_code == 404
    sign_in(client, session, "dispatcher")
    page = client.get(f"/orders/{order.id}").text
    assert page.count("作为事实保留：到场") == 2  # noqa: RUF001 - as it is written


@pytest.mark.parametrize("show", ["", "overdue", "closed", "all"])
def test_the_list_shows_what_was_asked_for(
    client: FlaskClient, session: Session, show: str
) -> None:
    """An overdue order that is held is on the list of overdue ones, with reason and end."""
    cast = make_cast(session)
    late = dt.datetime.now(dt.UTC) - dt.timedelta(hours=100)
    held, closed = make_order(session, late), make_order(session, NOW)
    act(session, held, "triage", cast.dispatcher, late)
    act(session, held, "hold", cast.dispatcher, late + dt.timedelta(hours=90), body={
        "reason": "等许可", "resume_by": (NOW + dt.timedelta(days=2)).isoformat()})  # fmt: skip
    act(session, closed, "cancel", cast.dispatcher, NOW)
    sign_in(client, session, "dispatcher")
    page = client.get(f"/orders?show={show}").text
    is_shown = {order.id: f"/orders/{order.id}" in page for order in (held, closed)}
    assert is_shown == {
        held.id: show in {"", "overdue", "all"},
        closed.id: show in {"closed", "all"},
    }
    assert ("等许可" in page) == (show != "closed")


def test_supervision_sees_what_is_late_and_who_had_it(
    client: FlaskClient, session: Session
) -> None:
    """With first-time-right and the holders' times."""
    cast = make_cast(session)
    late = dt.datetime.now(dt.UTC) - dt.timedelta(hours=100)
    order = make_order(session, late)
    lead_to(session, make_order(session, NOW), cast, "new")
    sign_in(client, session, "manager")
    page = client.get("/supervision").text
    assert order.id in page
    assert "超时" in page
    sign_in(client, session, "dispatcher")
    assert client.get("/supervision").status_code == 403
