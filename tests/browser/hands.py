"""A tablet in the hand of somebody who records on an order, for the tests of what becomes of it."""

from __future__ import annotations

import base64
import datetime as dt
import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from fieldops.access import Role
from fieldops.accounts.queries import insert_person
from fieldops.accounts.service import set_password
from fieldops.events.queries import fetch_events_of
from fieldops.events.service import SYSTEM, Actor, Operation
from fieldops.photos.service import EXIF_FACTS, TAKEN_AT
from fieldops.work_orders.service import OrderDraft, apply_operation, find_order, open_order
from tests.browser.conftest import PATIENCE_MS
from tests.browser.tablet import Tablet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from fieldops.events.queries import Event
    from tests.browser.conftest import Site

PASSWORD = "regen-im-schacht-7"  # noqa: S105 - of a person made up here
DISPATCHER = Actor(name="王芳", roles=frozenset({"dispatcher"}))


@dataclass
class Hand:
    """A tablet in somebody's hand, with an order to record on."""

    tablet: Tablet
    site: Site
    login: str
    order: str

    @property
    def page(self) -> Page:
        """The page on it."""
        return self.tablet.page

    def record(self, count: int = 1, **more: object) -> None:
        """Record notes on the order, one after the other."""
        wanted = {"subject": f"work_order:{self.order}", "action": "note"} | more
        code = (
            "(async () => { for (let n = 0; n < told.count; n += 1) await m.enqueue("
            "{body: {text: `note ${crypto.randomUUID()}`}, ...told.wanted}); })()"
        )
        self.tablet.ask("outbox", code, {"count": count, "wanted": wanted})

    def counts(self) -> dict[str, Any]:
        """Count what waits."""
        found: dict[str, Any] = self.tablet.ask("outbox", "m.counts()")
        return found

    def sender(self) -> dict[str, Any]:
        """Tell what the sender waits for."""
        code = "new Promise((done) => m.watchSender(done))"
        found: dict[str, Any] = self.tablet.ask("sender", code)
        return found

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something that takes its time."""
        for _ in range(PATIENCE_MS // 50):
            if is_so():
                return
            self.page.wait_for_timeout(50)
        pytest.fail(f"waited in vain: {self.counts()} {self.sender()}")

    def wait_sent(self) -> None:
        """Wait until the server has all."""
        self.wait_until(lambda: self.tablet.unsent() == 0)

    def events(self) -> list[Event]:
        """Read what the server knows of the order's notes, in its order."""
        with self.site.sessions() as session:
            key = find_order(session, self.order).key
            found = fetch_events_of(session, "work_order", [key])
        return [event for event in found if event.kind == "work_order.noted"]

    def dispatch(self, action: str, **body: object) -> None:
        """Let a dispatcher take a step on the order."""
        now = dt.datetime.now(dt.UTC)
        wanted = Operation(
            subject_kind="work_order", subject_id=self.order, action=action, body=body
        )
        with self.site.sessions.begin() as session:
            outcome = apply_operation(session, wanted, DISPATCHER, now)
            assert outcome.status == "applied", outcome

    def version(self) -> int:
        """Give the order's version on the server."""
        with self.site.sessions() as session:
            return find_order(session, self.order).version


def make_login(site: Site, name: str = "李强") -> str:
    """Let there be somebody who may sign in."""
    login = f"crew-{secrets.token_hex(4)}"
    with site.sessions.begin() as session:
        roles = (Role.CREW, Role.DISPATCHER)
        person = insert_person(session, login=login, name=name, roles=roles, password_hash=None)
        set_password(session, person, PASSWORD)
    return login


def sign_on(tablet: Tablet, login: str) -> None:
    """Sign in without the form, which has tests of its own."""
    told = {"login": login, "password": PASSWORD, "name": "平板 7"}
    tablet.ask("session", "m.signIn(told).then(() => null)", told)


@contextmanager
def bare_tablet(browser: Browser, site: Site) -> Iterator[Tablet]:
    """Open the page without its worker, which would send past the routes that lose replies."""
    context = browser.new_context(service_workers="block", locale="en", accept_downloads=True)
    tablet = Tablet.open(context, site.url)
    # Without its worker the page keeps only what it has once opened.
    tablet.go("#/outbox")
    yield tablet
    context.close()
    assert [fault for fault in tablet.faults if "'update'" not in fault] == []


@contextmanager
def given(tablet: Tablet, site: Site) -> Iterator[Hand]:
    """Give the tablet, cleared, to a new person with a new order."""
    login = make_login(site)
    with site.sessions.begin() as session:
        draft = OrderDraft(kind="repair", severity="leak", lon=117.23, lat=31.82)
        order = open_order(session, draft, SYSTEM, dt.datetime.now(dt.UTC)).id
    tablet.ask("wipe", "m.wipeStores('all')")
    tablet.go("#/settings")
    sign_on(tablet, login)
    yield Hand(tablet, site, login, order)
    tablet.online()
    tablet.page.unroute_all(behavior="ignoreErrors")
    tablet.context.unroute_all(behavior="ignoreErrors")


def noise() -> str:
    """Take a photo that no browser can make small, and that says when and where it was taken."""
    image = Image.frombytes("RGB", (800, 800), os.urandom(3 * 800 * 800))
    exif = Image.Exif()
    exif.get_ifd(EXIF_FACTS)[TAKEN_AT] = "2026:07:14 09:30:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (31.0, 49.0, 12.0), 3: "E", 4: (117.0, 13.0, 48.0)})
    written = BytesIO()
    image.save(written, "JPEG", exif=exif, quality=90)
    return base64.b64encode(written.getvalue()).decode()


BLOB = "new Blob([Uint8Array.from(atob(told), (one) => one.charCodeAt(0))], {type: 'image/jpeg'})"


def keep_photo(hand: Hand) -> dict[str, Any]:
    """Keep a photo on the device."""
    code = f"m.keepPhoto({BLOB}).then(({{blob, ...facts}}) => facts)"
    found: dict[str, Any] = hand.tablet.ask("photos", code, noise())
    return found
