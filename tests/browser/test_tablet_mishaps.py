"""Mishaps of a tablet: no room, two people, two tabs, two taps; nothing is lost or done twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fieldops.photos.service import find_photo
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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.browser.conftest import Site
    from tests.browser.tablet import Tablet

pytestmark = [pytest.mark.browser, pytest.mark.slow]


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
        tablet.page.evaluate(NO_ROOM, 0)


NO_ROOM = """
(is_full) => {
  const store = IDBObjectStore.prototype;
  const own = (window.plain ??= { add: store.add, put: store.put });
  for (const name of ["add", "put"]) {
    store[name] = is_full
      ? () => { throw new DOMException("no room", "QuotaExceededError"); }
      : own[name];
  }
}
"""


def test_a_device_without_any_room_lets_its_work_go(hand: Hand) -> None:
    """What the server has got makes the room: nothing else would."""
    hand.tablet.offline()
    hand.record(2)
    kept = keep_photo(hand)
    hand.tablet.ask("db", "m.kv.remove('reserve')")
    hand.page.evaluate(NO_ROOM, 1)
    hand.tablet.online()
    hand.tablet.send()
    hand.wait_sent()
    hand.page.evaluate(NO_ROOM, 0)
    assert len(hand.events()) == 2
    with hand.site.sessions() as session:
        assert find_photo(session, kept["sha256"]).sha256 == kept["sha256"]


def test_a_photo_that_two_people_keep_goes_with_whoever_is_there(hand: Hand) -> None:
    """The second must not wait for the first, who may never sign in again."""
    hand.tablet.offline()
    picture = noise()
    code = f"m.keepPhoto({BLOB}).then(({{sha256}}) => sha256)"
    sha256 = hand.tablet.ask("photos", code, picture)
    hand.tablet.ask("session", "m.signOut(() => true)")
    hand.tablet.online()
    sign_on(hand.tablet, make_login(hand.site, "赵敏"))
    assert hand.tablet.ask("photos", code, picture) == sha256
    hand.wait_sent()
    with hand.site.sessions() as session:
        assert find_photo(session, sha256).sha256 == sha256


def test_an_answer_to_the_sign_in_before_asks_nobody_to_sign_in(hand: Hand) -> None:
    """Another tab has signed somebody in, and this one has not heard of it yet."""
    problem = {"status": 401, "json": {"type": "x:signed-out"}}
    hand.page.route("**/api/v1/me-not", lambda route: route.fulfill(**problem))
    code = (
        '(async () => { const { kv } = await import("/static/js/tablet/db.js");'
        ' await kv.set("session", { ...m.session(), token: "newer" });'
        ' await m.api("/api/v1/me-not").catch(() => null);'
        " return [m.mustSignIn(), m.session().token]; })()"
    )
    assert hand.tablet.ask("session", code) == [False, "newer"]


def test_what_no_order_can_take_as_a_note_stays_with_the_person(hand: Hand) -> None:
    """The job may have left the day since the page was drawn: then there is nowhere to note it."""
    hand.tablet.offline()
    park = (
        '(async () => { const { open } = await import("/static/js/tablet/db.js");'
        " const op = await m.enqueue({subject: 'outage:O-404', action: 'tag', body: {tag: '7'}});"
        " const db = await open(); await db.delete('ops', op.op_id);"
        " await db.put('parked', { ...op, state: 'needs_you' });"
        " return m.resolve(op.op_id, 'theirs').then(() => 'gone', (error) => error.message); })()"
    )
    assert "no job" in hand.tablet.ask("outbox", park)
    assert hand.counts()["parked"] == 1
