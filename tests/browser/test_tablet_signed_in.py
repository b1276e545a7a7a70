"""A sign-in that lasts a shift, a tablet that was lost, and a valve released by phone."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from fieldops.devices import queries as devices
from fieldops.devices.service import revoke
from fieldops.events.service import Actor
from fieldops.release_codes.service import code_of, window_of
from tests.browser.tablet import CREW, Tablet
from tests.faults.serving import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.browser.tablet import Shift

pytestmark = [pytest.mark.browser, pytest.mark.loopback]

MANAGER = Actor(name="赵主任", roles=frozenset({"manager"}))
NOTE = 'm.enqueue({subject: `work_order:${told}`, action: "note", body: {text: "路窄"}})'
STORED = (
    "m.open().then(async (db) => Object.fromEntries(await Promise.all("
    '["ops", "chunks", "answers"].map(async (name) => [name, await db.count(name)]))))'
)


ME = 'm.api("/api/v1/me").then(() => "", (error) => error.code)'
REVOKED = "device-revoked"
HOLD = """() => {
  const go = window.fetch;
  window.fetch = (...asked) => asked[0] !== "/api/v1/me" ? go(...asked) : new Promise((done) => {
    window.let_go = () => { window.fetch = go; done(go(...asked)); };
  });
}"""


@pytest.fixture(scope="module")
def page(browser: Browser, shift: Shift) -> Iterator[Tablet]:
    """Open one page for all."""
    context = browser.new_context()
    tablet = Tablet.open(context, shift.site.url)
    # Without the worker a module that nobody has asked for yet cannot be had with no signal.
    wait_until(lambda: tablet.ask("sw_register", "m.isKeptOffline()"))
    wait_until(lambda: tablet.page.evaluate("() => navigator.serviceWorker.controller !== null"))
    yield tablet
    assert tablet.faults == []
    context.close()


@pytest.fixture
def tablet(page: Tablet) -> Tablet:
    """Sign in, unless somebody is, and hear of the day; nothing is unsent."""
    page.online()
    if page.ask("session", "m.mustSignIn()"):
        page.sign_in()
    page.ask("db", 'm.kv.remove("release_tries")')
    page.ask("day", "m.refreshDay().then(() => null)")
    assert try_to_send(page)["unsent"] == 0
    return page


def device_of(tablet: Tablet) -> str:
    """Tell which tablet it is."""
    found: str = tablet.ask("session", "m.session().device.id")
    return found


def jobs_of(tablet: Tablet) -> list[str]:
    """List the jobs that the tablet knows of."""
    found: list[str] = tablet.ask("day", "(m.day()?.jobs ?? []).map((job) => job.id)")
    return found


def try_to_send(tablet: Tablet) -> dict[str, Any]:
    """Let it reach the server, and tell how many records wait and what needs a person."""
    tablet.ask("sender", "m.sendNow().then(() => null, () => null)")
    found: dict[str, Any] = tablet.ask("outbox", "m.counts()")
    return found


def test_after_the_shift_one_reads_and_records_and_only_sending_waits(
    tablet: Tablet, shift: Shift
) -> None:
    """The same person signs in again on the same tablet, and all is sent."""
    own = device_of(tablet)
    tablet.offline()
    with shift.site.sessions.begin() as session:
        session.execute(
            text(
                "UPDATE device_token SET ends_at = now() - interval '1 second' FROM device"
                " WHERE device.key = device_key AND device.id = :id"
            ),
            {"id": own},
        )
    tablet.ask("outbox", f"{NOTE}.then(() => null)", shift.order)
    tablet.online()
    waiting = try_to_send(tablet)
    assert (waiting["unsent"], waiting["parked"]) == (1, 0)
    assert tablet.ask("session", "m.mustSignIn()")
    assert shift.order in jobs_of(tablet)
    tablet.ask("outbox", f"{NOTE}.then(() => null)", shift.order)

    tablet.go("#/sign-in")
    assert "李强" in tablet.page.locator("main .notice.warn").first.inner_text()
    assert tablet.page.locator("[name=name]").count() == 0
    tablet.sign_in()
    assert device_of(tablet) == own
    assert try_to_send(tablet)["unsent"] == 0


def test_a_revoked_tablet_forgets_all_but_what_is_unsent(tablet: Tablet, shift: Shift) -> None:
    """At its first contact; whoever signs in then has a new tablet, and sends what waited."""
    own = device_of(tablet)
    tablet.ask("db", 'm.open().then((db) => db.put("chunks", new Uint8Array(9), "pack"))')
    tablet.offline()
    tablet.ask("outbox", f"{NOTE}.then(() => null)", shift.order)
    with shift.site.sessions.begin() as session:
        revoke(session, own, "keep-unsent", MANAGER, dt.datetime.now(dt.UTC))
    assert tablet.ask("db", STORED)["chunks"] > 0
    tablet.online()
    assert try_to_send(tablet)["unsent"] == 1
    wait_until(lambda: tablet.ask("session", "m.session()") is None and jobs_of(tablet) == [])
    wait_until(lambda: tablet.ask("db", STORED) == {"ops": 1, "chunks": 0, "answers": 0})

    tablet.sign_in()
    assert device_of(tablet) != own
    wait_until(lambda: try_to_send(tablet)["unsent"] == 0)
    with shift.site.sessions() as session:
        old = devices.fetch_device(session, own)
    assert old is not None
    assert old.cleared_at is not None


def test_a_tablet_that_was_lost_for_good_keeps_nothing(tablet: Tablet, shift: Shift) -> None:
    """As the dispatcher has chosen."""
    tablet.offline()
    tablet.ask("outbox", f"{NOTE}.then(() => null)", shift.order)
    with shift.site.sessions.begin() as session:
        revoke(session, device_of(tablet), "all", MANAGER, dt.datetime.now(dt.UTC))
    tablet.online()
    wait_until(lambda: try_to_send(tablet)["unsent"] == 0)
    wait_until(lambda: tablet.ask("db", STORED) == {"ops": 0, "chunks": 0, "answers": 0})
    assert tablet.ask("db", 'm.kv.get("session").then((found) => found ?? null)') is None


def test_a_late_answer_to_an_older_sign_in_clears_nothing(tablet: Tablet, shift: Shift) -> None:
    """What was asked before the tablet was revoked and cleared says nothing of the new one."""
    own = device_of(tablet)
    tablet.page.evaluate(HOLD)
    tablet.ask("session", f"void (window.late = {ME})")
    with shift.site.sessions.begin() as session:
        revoke(session, own, "all", MANAGER, dt.datetime.now(dt.UTC))
    tablet.ask("day", "m.refreshDay().then(() => null, () => null)")
    wait_until(lambda: tablet.ask("session", "m.session()") is None)
    tablet.sign_in()
    assert tablet.page.evaluate("() => { window.let_go(); return window.late; }") == REVOKED
    assert device_of(tablet) != own


def test_a_tablet_on_which_nobody_is_signed_in_hears_that_it_was_revoked(
    tablet: Tablet, shift: Shift
) -> None:
    """And one that was signed out without a signal is signed out at its next contact."""
    own = device_of(tablet)
    tablet.ask("db", 'm.open().then((db) => db.put("chunks", new Uint8Array(9), "pack"))')
    tablet.offline()
    assert tablet.ask("session", "m.signOut(() => true)")
    tablet.online()
    tablet.ask("session", "m.tellSignedOut()")
    assert tablet.ask("db", STORED)["chunks"] > 0
    with shift.site.sessions() as session:
        still = "SELECT count(*) FROM device_token JOIN device ON device.key = device_key"
        still += " WHERE device.id = :id AND ended_at IS NULL"
        assert session.execute(text(still), {"id": own}).scalar_one() == 0

    with shift.site.sessions.begin() as session:
        revoke(session, own, "keep-unsent", MANAGER, dt.datetime.now(dt.UTC))
    tablet.ask("session", "m.tellSignedOut().then(() => null, () => null)")
    assert tablet.ask("db", STORED)["chunks"] == 0
    assert tablet.ask("session", "m.thisDevice()") is None


def test_signing_out_leaves_what_is_unsent_and_asks_first(tablet: Tablet, shift: Shift) -> None:
    """Without a yes nobody is signed out; with one the record waits for its person."""
    tablet.offline()
    tablet.ask("outbox", f"{NOTE}.then(() => null)", shift.order)
    sign_out = "m.signOut((unsent) => told.answer && unsent === 1)"
    assert not tablet.ask("session", sign_out, {"answer": False})
    assert tablet.ask("session", "m.session() !== null")
    assert tablet.ask("session", sign_out, {"answer": True})
    wait_until(lambda: tablet.ask("session", "m.session()") is None)
    assert tablet.ask("outbox", "m.counts()")["unsent"] == 1
    assert jobs_of(tablet) == []


def test_a_release_code_is_known_with_no_signal_and_guessing_waits(
    tablet: Tablet, shift: Shift
) -> None:
    """Right within its minutes, as it is read out; after five wrong ones one waits."""
    with shift.site.sessions() as session:
        device = devices.fetch_device(session, device_of(tablet))
    assert device is not None
    now = window_of(dt.datetime.now(dt.UTC))
    valve = tablet.ask(
        "day", "m.jobOf(told).outage.valves.find((one) => one.role === 'close').valve", shift.order
    )
    right = code_of(device.secret, shift.outage, valve, now)
    tablet.offline()
    check = "m.checkRelease(...told)"
    assert (
        tablet.ask("release", check, [shift.outage, valve, f"{right[:4]} {right[4:]}"]) == "right"
    )
    before = code_of(device.secret, shift.outage, valve, now - 1)
    assert tablet.ask("release", check, [shift.outage, valve, before]) == "right"
    old = code_of(device.secret, shift.outage, valve, now - 3)
    for _ in range(4):
        assert tablet.ask("release", check, [shift.outage, valve, old]) == "wrong"
    assert tablet.ask("release", check, [shift.outage, "V-1", right]) == "wrong"
    assert tablet.ask("release", check, [shift.outage, valve, right]) == "wait"


def test_the_key_of_the_codes_cannot_be_read_out_of_the_tablet(tablet: Tablet) -> None:
    """It is kept as a key that only signs, and stands in no other record."""
    found = tablet.ask("session", "m.releaseKey().then((key) => [key.extractable, key.usages])")
    assert found == [False, ["sign"]]
    assert "secret" not in tablet.ask("db", 'm.kv.get("session").then(JSON.stringify)')
    assert tablet.ask("session", "m.session().crews.map((crew) => crew.id)") == [CREW]
