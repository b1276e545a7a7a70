"""Stock: what fits, where it lies, and that it never goes below nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from fieldops.crews import queries as crews
from fieldops.errors import ConflictError, FieldopsError, ForbiddenError, NotFoundError
from fieldops.events.service import SYSTEM, Actor
from fieldops.rosters import queries as rosters
from fieldops.stock import queries
from fieldops.stock.service import (
    ItemDraft,
    add_item,
    count,
    give_back,
    issue,
    low_stock,
    restock,
    set_low_mark,
    who_carries,
)
from tests.fieldops.crews.making import NOW, make_crew
from tests.people import bearer, make_person, sign_in

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

ORDER, DRILL = "W-1", "W-2"
MANAGER = Actor(name="赵主任", roles=frozenset({"manager"}))
TEN = Decimal(10)


@pytest.fixture(autouse=True)
def _one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a work order and a drill's; the table of them belongs to a feature above."""
    orders = {ORDER: False, DRILL: True}
    monkeypatch.setattr(queries, "fetch_is_drill", lambda _session, order: orders.get(order))


def make_places(session: Session) -> tuple[str, str]:
    """Make a van and a store, and give their ids."""
    crew = make_crew(session)
    van = queries.insert_place(session, kind="van", name="皖A·10001", crew_key=crew)
    return van, queries.insert_place(session, kind="depot", name="东站", depot_key=1)


def make_item(session: Session, code: str, **values: object) -> str:
    """Make an item of DN 100 and give its id."""
    draft = {"kind": "clamp", "dn": 100, "name": f"哈夫节 {code}", "code": code, **values}
    return add_item(session, ItemDraft(**draft), SYSTEM, NOW)  # type: ignore[arg-type]


def test_a_measured_outside_diameter_decides(session: Session) -> None:
    """DN 100 is 110 mm in PE and 118 mm in ductile iron."""
    van, store = make_places(session)
    iron = make_item(session, "118", de_from_mm=114, de_to_mm=122, material="DI")
    wide = make_item(session, "110-130", de_from_mm=108, de_to_mm=130)
    plastic = make_item(session, "110", de_from_mm=109, de_to_mm=111, material="PE")
    other = make_item(session, "200", dn=200, de_from_mm=216, de_to_mm=226)
    for item in (iron, wide, plastic, other):
        restock(session, store, item, TEN, MANAGER, NOW)
    restock(session, van, wide, TEN, MANAGER, NOW)

    def fitting(dn: float | None, de: float | None, material: str | None) -> list[object]:
        found = who_carries(session, dn, de, material)
        return [(each.item.code, each.place.kind, each.is_certain) for each in found]

    assert fitting(100, 118, "DI") == [
        ("110-130", "van", True),
        ("118", "depot", True),
        ("110-130", "depot", True),
    ]
    assert fitting(None, 221, None) == [("200", "depot", True)]
    assert fitting(100, 150, "DI") == [], "too thick for any, whatever its nominal diameter"


def test_an_unknown_outside_diameter_is_a_doubt_and_not_none(session: Session) -> None:
    """The crew is told to measure before it drives."""
    _, store = make_places(session)
    iron = make_item(session, "118", de_from_mm=114, de_to_mm=122, material="DI")
    pipe = make_item(session, "PE100", kind="pipe", unit="m", material="PE")
    for item in (iron, pipe):
        restock(session, store, item, TEN, MANAGER, NOW)
    assert [each.doubts for each in who_carries(session, 100, None, "DI")] == [("de",)]
    assert {each.item.code: each.doubts for each in who_carries(session, 100, None, None)} == {
        "118": ("de", "material"),
        "PE100": ("material",),
    }
    assert who_carries(session, 100, None, "PE", "pipe")[0].is_certain


def test_material_goes_to_a_work_order_and_never_below_nothing(session: Session) -> None:
    """Each movement says from where, by whom and what for."""
    van, _ = make_places(session)
    item = make_item(session, "118")
    restock(session, van, item, Decimal(2), MANAGER, NOW)
    assert issue(session, van, item, Decimal("1.5"), ORDER, MANAGER, NOW) == Decimal("0.5")
    with pytest.raises(ConflictError, match=r"皖A·10001 has only 0\.5 of"):
        issue(session, van, item, Decimal(1), ORDER, MANAGER, NOW)
    with pytest.raises(NotFoundError, match="no work order W-9"):
        issue(session, van, item, Decimal("0.5"), "W-9", MANAGER, NOW)
    for nonsense in ("0", "-1", "NaN", "1000000"):
        with pytest.raises(FieldopsError):
            issue(session, van, item, Decimal(nonsense), ORDER, MANAGER, NOW)
    issued, restocked = queries.fetch_movements(session)
    assert (issued.kind, issued.origin, issued.order_id, issued.person_name) == (
        "issue",
        "皖A·10001",
        ORDER,
        "赵主任",
    )
    assert (restocked.kind, restocked.target, str(restocked.quantity)) == (
        "restock",
        "皖A·10001",
        "2.00",
    )


def test_what_was_not_used_comes_back_but_no_more(session: Session) -> None:
    """A work order cannot give back what it never had."""
    van, _ = make_places(session)
    item = make_item(session, "118")
    restock(session, van, item, Decimal(2), MANAGER, NOW)
    issue(session, van, item, Decimal(2), ORDER, MANAGER, NOW)
    assert give_back(session, van, item, Decimal(1), ORDER, MANAGER, NOW) == 1
    with pytest.raises(ConflictError, match="has had 1 of"):
        give_back(session, van, item, Decimal(2), ORDER, MANAGER, NOW)


def test_a_drill_takes_nothing_from_the_van(session: Session) -> None:
    """What lies there is needed for the real thing."""
    van, _ = make_places(session)
    item = make_item(session, "118")
    restock(session, van, item, Decimal(2), MANAGER, NOW)
    assert issue(session, van, item, Decimal(2), DRILL, MANAGER, NOW) == 2
    assert give_back(session, van, item, Decimal(2), DRILL, MANAGER, NOW) == 2
    assert [each.kind for each in queries.fetch_movements(session)] == ["restock"]


def test_a_van_is_filled_from_a_store(session: Session) -> None:
    """What the one gets the other has no more."""
    van, store = make_places(session)
    item = make_item(session, "118")
    restock(session, store, item, TEN, MANAGER, NOW)
    restock(session, van, item, Decimal(4), MANAGER, NOW, from_place_id=store)
    levels = {place: queries.fetch_levels(session, place)[0].quantity for place in (van, store)}
    assert levels == {van: 4, store: 6}
    with pytest.raises(ConflictError):
        restock(session, van, item, Decimal(7), MANAGER, NOW, from_place_id=store)


def test_low_stock_is_listed_emptiest_first_and_counting_corrects_it(session: Session) -> None:
    """A count is a movement of the difference."""
    van, store = make_places(session)
    item = make_item(session, "118")
    restock(session, store, item, TEN, MANAGER, NOW)
    set_low_mark(session, store, item, Decimal(10), MANAGER, NOW)
    set_low_mark(session, van, item, Decimal(2), MANAGER, NOW)
    assert [(low.place.id, int(low.quantity)) for low in low_stock(session)] == [
        (van, 0),
        (store, 10),
    ]
    count(session, van, item, Decimal(3), MANAGER, NOW, note="盘点")
    count(session, store, item, Decimal(9), MANAGER, NOW)
    assert [low.place.id for low in low_stock(session)] == [store]
    less, more = queries.fetch_movements(session, limit=2)
    assert (less.origin, less.target, int(less.quantity)) == ("东站", None, 1)
    assert (more.origin, more.target, int(more.quantity), more.note) == (
        None,
        "皖A·10001",
        3,
        "盘点",
    )


def test_a_crew_takes_from_its_own_van_alone(session: Session) -> None:
    """A store's keeper is a dispatcher or a manager."""
    van, store = make_places(session)
    item = make_item(session, "118")
    person = make_person(session, "crew")
    crew = Actor(name="周师傅", person_id=person, roles=frozenset({"crew"}))
    for place in (van, store):
        restock(session, place, item, TEN, MANAGER, NOW)
    with pytest.raises(ForbiddenError):
        issue(session, van, item, Decimal(1), ORDER, crew, NOW)
    locked = crews.lock_crew(session, "C-1", None)
    assert locked is not None
    rosters.insert_member(session, locked.key, name="周师傅", person_id=person)
    assert issue(session, van, item, Decimal(1), ORDER, crew, NOW) == 9
    with pytest.raises(ForbiddenError):
        issue(session, store, item, Decimal(1), ORDER, crew, NOW)


def test_what_moved_is_never_rewritten(session: Session) -> None:
    """The database holds the ledger, too."""
    van, _ = make_places(session)
    restock(session, van, make_item(session, "118"), TEN, MANAGER, NOW)
    for statement in ("UPDATE stock_movement SET quantity = 1", "DELETE FROM stock_movement"):
        with pytest.raises(DBAPIError, match="never changed"), session.begin_nested():
            session.execute(text(statement))


def test_a_machine_asks_who_carries_what_and_issues_it(
    client: FlaskClient, session: Session
) -> None:
    """And is told in words what is wrong."""
    van, _ = make_places(session)
    item = make_item(session, "118", de_from_mm=114, de_to_mm=122)
    restock(session, van, item, TEN, MANAGER, NOW)
    headers = bearer(session, "dispatcher")
    answer = client.get("/api/v1/stock?dn=100&de=118&material=DI", headers=headers).json
    assert answer is not None
    (found,) = answer["stock"]
    assert (found["place"]["crew"], found["quantity"], found["doubts"]) == ("C-1", 10.0, [])
    for wrong in ("", "?dn=x", "?de=-1", "?dn=100&kind=gold", "?dn=nan"):
        assert client.get(f"/api/v1/stock{wrong}", headers=headers).status_code == 400
    body = {"place": van, "item": item, "quantity": 4, "order": ORDER}
    issued = client.post("/api/v1/stock/issue", json=body, headers=headers)
    assert issued.json == {"place": van, "item": item, "left": 6.0}
    again = client.post("/api/v1/stock/issue", json={**body, "quantity": 7}, headers=headers)
    assert again.status_code == 409
    assert client.post("/api/v1/stock/issue", json={}, headers=headers).status_code == 400


def test_the_pages_show_what_fits_and_what_runs_low(client: FlaskClient, session: Session) -> None:
    """Everything can be moved by page, and a refusal is said in words."""
    van, store = make_places(session)
    headers = sign_in(client, session, "manager")

    def post(path: str, expected: int = 302, **form: object) -> str:
        answer = client.post(path, data=form, headers=headers)
        assert answer.status_code == expected, answer.text
        return answer.text

    clamp: dict[str, Any] = {"code": "HF-1", "name": "哈夫节", "kind": "clamp", "dn": 100}
    post("/stock/items", **clamp, de_from_mm=114, de_to_mm=122)
    post("/stock/items", 409, **clamp)
    post("/stock/items", 400, **{**clamp, "code": "HF-2"}, de_from_mm=122, de_to_mm=114)
    item = queries.fetch_items(session)[0].id
    post(f"/stock/{store}/restock", item=item, quantity=5)
    post(f"/stock/{van}/restock", item=item, quantity=2, origin=store)
    post(f"/stock/{van}/mark", item=item, quantity=2)
    page = client.get("/stock?dn=100", headers=headers).text
    for words in ("外径 114", "须先量外径", "库存不足", "皖A·10001"):
        assert words in page
    post(f"/stock/{van}/issue", item=item, quantity=1, order=ORDER)
    assert "只剩 1" in post(f"/stock/{van}/issue", 409, item=item, quantity=2, order=ORDER)
    post(f"/stock/{van}/return", item=item, quantity=1, order=ORDER)
    post(f"/stock/{store}/count", item=item, quantity=1, note="盘点")
    here = client.get(f"/stock/{store}", headers=headers).text
    assert "盘点" in here
    assert client.get("/stock/SP-0", headers=headers).status_code == 404
