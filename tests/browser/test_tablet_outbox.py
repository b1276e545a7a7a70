"""The tablet's outbox in a real browser: what was recorded is never lost, and never done twice."""

from __future__ import annotations

import json
import re
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from fieldops.access import Role
from fieldops.photos.service import find_photo
from fieldops.work_orders.service import find_order
from tests.browser.hands import (
    BLOB,
    Hand,
    bare_tablet,
    given,
    keep_photo,
    make_login,
    noise,
    sign_on,
)
from tests.browser.tablet import LANDSCAPE, PORTRAIT, Tablet
from tests.fieldops.sync.rescues import take_in
from tests.people import sign_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Route

    from tests.browser.conftest import Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OPS = "**/api/v1/ops"


@pytest.fixture(scope="module")
def tablet(browser: Browser, site: Site) -> Iterator[Tablet]:
    """Open the page once; each test has the device cleared."""
    with bare_tablet(browser, site) as opened:
        yield opened


@pytest.fixture
def hand(tablet: Tablet, site: Site) -> Iterator[Hand]:
    """Give the cleared tablet to a new person, with a new order."""
    with given(tablet, site) as held:
        yield held


def test_what_is_recorded_without_a_network_is_sent_in_order_when_it_is_back(hand: Hand) -> None:
    """Until then it is on the device, and the page says so; a reload changes nothing."""
    hand.tablet.offline()
    hand.record(12)
    assert hand.counts()["unsent"] == 12
    assert {op["state"] for op in hand.tablet.ops()} == {"here"}
    hand.tablet.go("#/outbox")
    expect(hand.page.locator("#waiting")).to_contain_text("On this device")
    expect(hand.page.locator("main")).to_contain_text("12 unsent")
    recorded = [op["op_id"] for op in hand.tablet.ops()]
    hand.tablet.online()
    hand.wait_sent()
    told = hand.events()
    assert [event.op_id for event in told] == recorded
    assert all(event.occurred_at < event.received_at for event in told)
    expect(hand.page.locator("#confirmed")).to_contain_text("Confirmed")
    assert {op["state"] for op in hand.tablet.ops()} == {"confirmed"}


def test_a_lost_reply_is_asked_for_again_and_nothing_is_done_twice(hand: Hand) -> None:
    """The server has done it; the tablet does not know, keeps it, and asks once more."""
    lost: list[int] = []

    def lose(route: Route) -> None:
        if len(lost) < 2:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    hand.page.route(OPS, lose)
    hand.record(3)
    hand.wait_until(lambda: len(lost) == 1 and not hand.sender()["isSending"])
    assert hand.counts() == {"unsent": 3, "parked": 0, "photos": 0, "others": []}
    hand.tablet.send()
    hand.tablet.send()
    hand.wait_sent()
    assert lost == [200, 200]
    told = [event.op_id for event in hand.events()]
    assert told == [op["op_id"] for op in hand.tablet.ops()]
    assert len(set(told)) == 3


def test_two_tabs_send_one_after_the_other_and_all_once(hand: Hand) -> None:
    """Whichever holds the lock sends; the other waits, and both see the same."""
    second = Tablet.open(hand.tablet.context, hand.site.url)
    other = Hand(second, hand.site, hand.login, hand.order)
    under_way: list[int] = [0, 0]

    def count(route: Route) -> None:
        under_way[0] += 1
        under_way[1] = max(under_way)
        answer = route.fetch()
        under_way[0] -= 1
        route.fulfill(response=answer)

    hand.tablet.offline()
    hand.record(30)
    other.record(30)
    hand.tablet.context.route(OPS, count)
    hand.tablet.online()
    for tab in (hand, other):
        tab.page.evaluate("dispatchEvent(new Event('online'))")
    hand.wait_sent()
    assert other.counts()["unsent"] == 0
    told = [event.op_id for event in hand.events()]
    assert len(told) == len(set(told)) == 60
    assert told == [op["op_id"] for op in hand.tablet.ops()]
    assert under_way[1] == 1
    second.page.close()


DOORS: list[tuple[dict[str, Any], str]] = [
    ({"status": 401, "json": {"type": "fieldops:token-expired", "detail": "x"}}, "sign_in"),
    ({"status": 403, "json": {"type": "fieldops:forbidden", "detail": "x"}}, "forbidden"),
    ({"status": 503, "body": "busy"}, "server"),
    ({"status": 413, "json": {"type": "fieldops:too-large", "detail": "x"}}, "server"),
    ({"status": 200, "content_type": "text/html", "body": "<h1>Hotel</h1>"}, "network"),
    ({"status": 200, "json": {"results": []}}, "server"),
]


def test_no_refusal_of_the_door_parks_or_drops_anything(hand: Hand) -> None:
    """Sending waits, and goes on where it stood; also behind a hotel's sign-in page."""
    door: dict[str, Any] = {}
    hand.page.route(OPS, lambda route: route.fulfill(**door))
    for number, (answer, waiting) in enumerate(DOORS):
        door.clear()
        door.update(answer)
        hand.record(int(number == 0) * 2)
        sign_on(hand.tablet, hand.login)
        hand.tablet.send()
        hand.wait_until(lambda wanted=waiting: hand.sender()["waiting"] == wanted)  # type: ignore[misc]
        assert hand.counts()["unsent"] == 2, waiting
        assert hand.counts()["parked"] == 0, waiting
        assert "confirmed" not in {op["state"] for op in hand.tablet.ops()}
    hand.page.unroute(OPS)
    sign_on(hand.tablet, hand.login)
    hand.tablet.send()
    hand.wait_sent()
    assert len(hand.events()) == 2


def test_an_operation_that_the_server_fails_at_does_not_hold_up_the_next(hand: Hand) -> None:
    """It stays on the device, and goes later."""
    failed: list[str] = []

    def fail_first(route: Route) -> None:
        sent = json.loads(route.request.post_data or "")
        answer = route.fetch(post_data=json.dumps({**sent, "ops": sent["ops"][1:]}))
        failed.append(sent["ops"][0]["op_id"])
        first = {"op_id": failed[0], "status": "failed", "message": "broken"}
        route.fulfill(json={**answer.json(), "results": [first, *answer.json()["results"]]})

    hand.tablet.offline()
    hand.record(3)
    hand.page.route(OPS, fail_first, times=1)
    hand.tablet.online()
    hand.wait_until(lambda: hand.counts()["unsent"] == 1 or not hand.counts()["unsent"])
    hand.page.unroute(OPS)
    hand.tablet.send()
    hand.wait_sent()
    told = [event.op_id for event in hand.events()]
    assert set(told) == {op["op_id"] for op in hand.tablet.ops()}
    assert len(told) == 3
    assert told[-1] == failed[0]


def look(hand: Hand, name: str) -> None:
    """Keep pictures in both languages and lights, upright and lying, if they are wanted."""
    if hand.tablet.pictures is None:
        return
    for language, light, (width, height) in product(
        ("zh_CN", "en"), ("light", "dark"), (LANDSCAPE, PORTRAIT)
    ):
        hand.page.set_viewport_size({"width": width, "height": height})
        hand.tablet.ask("theme", "m.setTheme(told)", light)
        hand.tablet.ask("words", "m.setLanguage(told)", language)
        hand.page.wait_for_timeout(600)
        hand.page.screenshot(
            path=hand.tablet.pictures / f"{name}-{language}-{light}-{width}.png", full_page=True
        )


def set_minutes(hand: Hand, minutes: int, base: int) -> None:
    """Record how long the work is thought to take."""
    hand.record(action="set", body={"expected_work_min": minutes}, base_version=base)


def test_a_conflict_shows_both_values_and_a_person_decides(hand: Hand) -> None:
    """Who wrote the other one stands beside it; nothing is overwritten without a word."""
    base = hand.version()
    hand.dispatch("set", expected_work_min=45)
    set_minutes(hand, 90, base)
    hand.wait_until(lambda: hand.counts()["parked"] == 1)
    hand.tablet.go("#/outbox")
    card = hand.page.locator("#needs-you .refused")
    expect(card.locator(".mine")).to_contain_text("90")
    expect(card.locator(".theirs")).to_contain_text("45")
    expect(card.locator(".theirs")).to_contain_text("王芳")
    hand.tablet.offline()
    hand.record(3)
    keep_photo(hand)
    look(hand, "outbox")
    hand.tablet.online()
    card.get_by_role("button", name="Keep mine").click()
    hand.wait_until(lambda: hand.counts()["parked"] == 0 and hand.counts()["unsent"] == 0)
    with hand.site.sessions() as session:
        assert find_order(session, hand.order).expected_work_min == 90
    # Again, and this time the other value stays, with a note of one's own.
    base = hand.version()
    hand.dispatch("set", expected_work_min=30)
    set_minutes(hand, 120, base)
    expect(card.locator(".mine")).to_contain_text("120")
    card.get_by_role("button", name="Take theirs").click()
    hand.wait_until(lambda: hand.counts()["parked"] == 0 and hand.counts()["unsent"] == 0)
    with hand.site.sessions() as session:
        assert find_order(session, hand.order).expected_work_min == 30
    note = hand.events()[-1].body["text"]
    assert "120" in note
    assert re.search(r" \d{4}-\d\d-\d\d \d\d:\d\d ", note), "as people write a moment"
    hand.tablet.go("#/outbox")
    expect(hand.page.locator("#confirmed .badge").first).to_have_text("The other value stands")
    for field, value, word in (
        ("valves_shut", ["V1", "V2"], "V1, V2"),
        ("parts", [{"name": "DN150", "quantity": 2}], "DN150 \N{MULTIPLICATION SIGN} 2"),
        ("resume_by", "2026-11-24T03:05:00Z", "2026-11-24 11:05"),
        ("result", "will_not_close", "will not close"),
    ):
        assert hand.tablet.ask("refused", f'm.valueName("{field}", told)', value) == word


def test_what_somebody_else_recorded_waits_for_them_and_no_step_drops_it(hand: Hand) -> None:
    """Signing out asks with the count; forgetting a refused record asks, too."""
    hand.tablet.offline()
    hand.record(2)
    asked = hand.tablet.ask(
        "session",
        "(async () => { let n; await m.signOut((c) => { n = c; return false; }); return n; })()",
    )
    assert asked == 2
    assert hand.tablet.ask("session", "m.session() !== null")
    hand.tablet.ask("session", "m.signOut(() => true)")
    hand.tablet.online()
    sign_on(hand.tablet, make_login(hand.site, "赵敏"))
    hand.record(1)
    hand.wait_until(lambda: hand.counts()["unsent"] == 2)
    [others] = hand.counts()["others"]
    assert (others["person_name"], others["unsent"]) == ("李强", 2)
    assert [event.person_name for event in hand.events()] == ["赵敏"]
    hand.tablet.go("#/outbox")
    expect(hand.page.locator("main")).to_contain_text(
        "2 records of 李强 are sent when 李强 signs in"
    )
    sign_on(hand.tablet, hand.login)
    hand.wait_sent()
    assert [event.person_name for event in hand.events()] == ["赵敏", "李强", "李强"]


def test_a_photo_that_the_device_has_lost_may_be_chosen_once_more(hand: Hand) -> None:
    """The file that is chosen takes the place of what can no longer be read."""
    hand.tablet.offline()
    lose = (
        'import("/static/js/tablet/db.js").then(async ({open}) => { const db = await open();'
        ' await db.put("photos", {...one, state: "needs_you"}); })'
    )
    keep = f"m.keepPhoto({BLOB})"
    code = f"{keep}.then((one) => {lose}).then(() => {keep}).then(({{state}}) => state)"
    assert hand.tablet.ask("photos", code, noise()) == "here"


def test_a_photo_goes_after_the_data_in_pieces_and_goes_on_where_it_was_cut(hand: Hand) -> None:
    """What its camera said is kept apart; the device lets go only when the server has all."""
    hand.tablet.offline()
    hand.record(1)
    kept = keep_photo(hand)
    assert kept["taken_at"] == "2026-07-14T01:30:00.000Z"
    assert kept["lon"] == pytest.approx(117.23)
    asked: list[str] = []

    def cut(route: Route) -> None:
        span = route.request.headers.get("content-range", "")
        asked.append(span or route.request.url.rpartition("/")[2])
        if span and sum(one.startswith("bytes") for one in asked) == 2:
            route.abort()
        else:
            route.continue_()

    hand.page.route(OPS, cut)
    hand.page.route("**/api/v1/photos/**", cut)
    hand.tablet.online()
    hand.tablet.send()
    hand.wait_sent()
    assert asked.index("ops") < asked.index("received"), asked
    firsts = [one.split()[1].split("-")[0] for one in asked if one.startswith("bytes")]
    assert firsts[:3] == ["0", "262144", "262144"], asked
    with hand.site.sessions() as session:
        found = find_photo(session, kept["sha256"])
    assert found.original_sha256 == kept["original_sha256"] != kept["sha256"]
    assert found.claimed_lon == pytest.approx(117.23)
    assert hand.tablet.ask("photos", "m.photoAddress(told)", kept["sha256"]) is None


def test_a_rescue_file_carries_all_that_is_unsent_and_the_tablet_may_send_it_too(
    hand: Hand,
) -> None:
    """A dispatcher reads it in; whatever comes second is only answered."""
    hand.tablet.offline()
    hand.record(3)
    kept = keep_photo(hand)
    hand.tablet.go("#/outbox")
    with hand.page.expect_download() as saved:
        hand.page.click("#rescue")
    data = saved.value.path().read_bytes()
    assert json.loads(data)["format"] == "fieldops-rescue"
    client = hand.site.app.test_client()
    with hand.site.sessions() as session:
        headers = sign_in(client, session, Role.DISPATCHER)
    assert 'id="refused"' not in take_in(client, headers, data)
    told = [event.op_id for event in hand.events()]
    assert told == [op["op_id"] for op in hand.tablet.ops()]
    with hand.site.sessions() as session:
        assert find_photo(session, kept["sha256"]).original_sha256 == kept["original_sha256"]
    hand.tablet.online()
    hand.wait_sent()
    assert hand.counts()["parked"] == 0
    assert [event.op_id for event in hand.events()] == told


FULL = """
(is_full) => {
  const own = (window.own ??= {add: IDBObjectStore.prototype.add, put: IDBObjectStore.prototype.put,
    remove: IDBObjectStore.prototype.delete});
  let full = is_full;
  const writing = (name) => function (...told) {
    if (full) throw new DOMException("no room", "QuotaExceededError");
    return own[name].apply(this, told);
  };
  IDBObjectStore.prototype.add = writing("add");
  IDBObjectStore.prototype.put = writing("put");
  IDBObjectStore.prototype.delete = function (key) {
    if (key === "reserve") full = false;
    return own.remove.call(this, key);
  };
}
"""
"""Let the browser say that it has no room, until the reserve is given up."""


def test_a_full_device_says_so_and_still_takes_records(hand: Hand) -> None:
    """A photo is refused with what to do; a record finds the room that was kept back for it."""
    hand.tablet.offline()
    hand.tablet.ask("outbox", "m.keepReserve()")
    hand.page.evaluate(FULL, 1)
    code = f"m.keepPhoto({BLOB}).catch((error) => [error.name, error.message])"
    name, message = hand.tablet.ask("photos", code, noise())
    assert name == "StorageFull"
    assert "still on the page" in message
    assert hand.counts()["photos"] == 0
    hand.record(1)
    assert hand.counts()["unsent"] == 1
    hand.page.evaluate(FULL, 1)
    code = "m.enqueue({subject: 'work_order:W-1', action: 'note'}).catch((error) => error.name)"
    assert hand.tablet.ask("outbox", code) == "StorageFull"
    assert hand.counts()["unsent"] == 1
    hand.page.evaluate(FULL, 0)
    hand.tablet.online()
    hand.wait_sent()
    assert len(hand.events()) == 1
