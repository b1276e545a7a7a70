"""The tablet's page with no server: it opens whole, in both languages, and changes when told."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from werkzeug.serving import make_server

from fieldops.tablet import service
from tests.browser.conftest import CHROMIUM, FLAGS, PATIENCE_MS, Quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page
    from werkzeug.serving import BaseWSGIServer

    from tests.browser.conftest import Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@dataclass
class Street:
    """A server that can be stopped and started at one address."""

    site: Site
    server: BaseWSGIServer | None = None
    port: int = 0
    thread: threading.Thread | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Give the address, which stays the same."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Answer."""
        self.server = make_server(
            "127.0.0.1", self.port, self.site.app, threaded=True, request_handler=Quiet
        )
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Answer nobody."""
        if self.server and self.thread:
            self.server.shutdown()
            self.thread.join()
            self.server.server_close()
            self.server = None


@pytest.fixture
def street(site: Site) -> Iterator[Street]:
    """Serve the town where it can be taken away."""
    street = Street(site)
    street.start()
    yield street
    street.stop()


@contextmanager
def a_tablet(browser: Browser, size: tuple[int, int] = (1280, 800)) -> Iterator[BrowserContext]:
    """Give a device of its own, whose browser asks for Chinese."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, locale="zh-CN", timezone_id="Asia/Shanghai"
    )
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


def open_page(context: BrowserContext, url: str, route: str = "") -> Page:
    """Open the tablet's page and wait until it is there."""
    page = context.new_page()
    page.goto(f"{url}/tablet{route}")
    page.wait_for_selector("html[data-page=ready]")
    return page


def keep_offline(page: Page) -> None:
    """Wait until the device says that it holds the page."""
    page.goto(page.url.split("#")[0] + "#/settings")
    page.wait_for_selector(".release .notice.good")


def picture(page: Page, name: str) -> None:
    """Keep what can be seen, where FIELDOPS_PICTURES names a folder for people to look at."""
    if kept := os.environ.get("FIELDOPS_PICTURES"):
        Path(kept).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(kept) / f"{name}.png")


def test_with_the_server_stopped_the_page_opens_in_both_languages(
    browser: Browser, street: Street
) -> None:
    """Cold: another tab, nothing of the first one left but what the device keeps."""
    with a_tablet(browser) as context:
        first = open_page(context, street.url)
        keep_offline(first)
        first.close()
        street.stop()
        faults: list[str] = []

        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{street.url}/tablet")
        page.wait_for_selector("html[data-page=ready]")
        page.wait_for_selector("[data-chip=signal][data-tone=warn]")
        assert page.locator("html").get_attribute("lang") == "zh-CN"
        assert page.locator("#tabs").inner_text().split() == [
            "工单",
            "地图",
            "登记",
            "待发箱",
            "设置",
        ]
        assert "无信号" in page.locator("[data-chip=signal]").inner_text()
        assert "无未发送" in page.locator("[data-chip=unsent]").inner_text()
        picture(page, "shell-offline-zh")

        assert page.locator("html").get_attribute("data-theme") == "light"
        page.click("#switch-language")
        page.click("#switch-theme")
        page.reload()
        page.wait_for_selector("html[data-page=ready][lang=en][data-theme=dark]")
        page.wait_for_selector("[data-chip=signal][data-tone=warn]")
        assert "No signal" in page.locator("[data-chip=signal]").inner_text()
        assert "Nothing unsent" in page.locator("[data-chip=unsent]").inner_text()
        for route in ("outbox", "settings", "sign-in"):
            page.goto(f"{street.url}/tablet#/{route}")
            page.wait_for_selector("main[data-state=shown]")
        assert faults == []


def test_a_page_that_fails_takes_nothing_else_with_it(browser: Browser, street: Street) -> None:
    """A module that is broken is said to be, and the rest goes on."""
    with a_tablet(browser) as context:
        context.route("**/js/tablet/sign_in.js", lambda route: route.fulfill(status=500))
        page = open_page(context, street.url, "?lang=en#/sign-in")
        page.wait_for_selector("main[data-state=failed]")
        assert "What you recorded is safe" in page.locator("main").inner_text()
        page.click("#tabs a[href='#/settings']")
        page.wait_for_selector("main[data-page=settings][data-state=shown]")


def test_by_plain_http_the_page_says_what_it_cannot_do(browser: Browser, street: Street) -> None:
    """By a name other than localhost a browser gives no worker, no camera and no position."""
    away = browser.browser_type.launch(
        executable_path=CHROMIUM, args=[*FLAGS, "--host-resolver-rules=MAP tablet.test 127.0.0.1"]
    )
    try:
        page = away.new_page()
        page.goto(f"http://tablet.test:{street.port}/tablet?lang=en#/settings")
        page.wait_for_selector("html[data-page=ready]")
        assert "This page came by plain http" in page.locator("#warnings").inner_text()
        page.wait_for_selector(".release .notice.warn")
        assert "does not open with no signal" in page.locator(".release").inner_text()
    finally:
        away.close()


UNSENT = """async () => {
  const db = await new Promise((done) => {
    const asked = indexedDB.open("fieldops-tablet");
    asked.onsuccess = () => done(asked.result);
  });
  const writing = db.transaction("ops", "readwrite");
  writing.objectStore("ops").put({ op_id: "x", seq: 1, sequence: 1, subject: "order:1",
    action: "arrive", person_id: 1, person_name: "Li", state: "here", body: {} });
  await new Promise((done) => { writing.oncomplete = done; });
  db.close();
}"""


def test_a_new_version_waits_while_something_is_unsent(
    browser: Browser, street: Street, changed_words: Callable[[str], None]
) -> None:
    """It is fetched, and used when somebody taps; with nothing unsent it comes by itself."""
    with a_tablet(browser) as context:
        page = open_page(context, street.url, "?lang=en")
        keep_offline(page)
        old = version_of(page)
        page.evaluate(UNSENT)
        changed_words("first")

        page.reload()
        page.wait_for_selector("[data-chip=release]")
        page.wait_for_timeout(300)
        assert version_of(page) == old
        assert "1 unsent" in page.locator("[data-chip=unsent]").inner_text()
        picture(page, "shell-new-version")
        page.click("[data-chip=release]")
        page.click("dialog .primary")
        page.wait_for_selector(f"meta[name=release]:not([content='{old}'])", state="attached")
        page.wait_for_selector("html[data-page=ready]")
        page.wait_for_selector("[data-chip=unsent][data-tone=warn]")
        assert "1 unsent" in page.locator("[data-chip=unsent]").inner_text()

        new = version_of(page)
        page.evaluate(SENT)
        changed_words("second")
        page.reload()
        page.wait_for_selector(f"meta[name=release]:not([content='{new}'])", state="attached")


SENT = UNSENT.replace(UNSENT[UNSENT.index("put(") : UNSENT.index(");\n  await")], 'delete("x"')


WAIT_FOR_WORKER = """async () => {
  const registration = await navigator.serviceWorker.getRegistration("/tablet");
  await registration.update();
  const { installing } = registration;
  if (!installing) return "nothing new";
  return new Promise((done) => {
    installing.addEventListener("statechange", () => done(installing.state));
  });
}"""


def test_half_of_a_new_version_is_never_used(
    browser: Browser, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is changed while a tablet fetches gives files of two versions."""
    as_counted = service.hash_of
    with a_tablet(browser) as context:
        page = open_page(context, street.url)
        keep_offline(page)
        old = version_of(page)
        monkeypatch.setattr(
            service,
            "hash_of",
            lambda content: as_counted(content + b"!" * content.startswith(b"\x89PNG")),
        )
        assert page.evaluate(WAIT_FOR_WORKER) == "redundant"
        street.stop()
        page.reload()
        page.wait_for_selector("html[data-page=ready]")

        assert version_of(page) == old


def version_of(page: Page) -> str:
    """Tell which release the open page is of."""
    return page.locator("meta[name=release]").get_attribute("content") or ""


@pytest.fixture
def changed_words(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make another release: one message more."""
    as_written = service.write_words

    def change(message: str) -> None:
        def changed(language: str) -> bytes:
            return json.dumps(json.loads(as_written(language)) | {message: "neu"}).encode()

        monkeypatch.setattr("fieldops.tablet.views.write_words", changed)

    return change
