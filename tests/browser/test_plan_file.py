"""The isolation plan, opened from a disk on a machine without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from fieldops.access import Role
from tests.browser.conftest import NASTY_PIPE

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.browser.conftest import Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize(("language", "title"), [("en", "Isolation plan"), ("zh_CN", "关阀方案")])
def test_the_file_opens_without_asking_anybody(
    site: Site, browser: Browser, tmp_path: Path, language: str, title: str
) -> None:
    """Pipes, numbered valves and words, and not one request; a nasty name stays a name."""
    online = browser.new_context()
    online.add_cookies(site.cookies_of(Role.DISPATCHER))  # type: ignore[arg-type]
    address = f"{site.url}/outages/plan.html?lang={language}&pipe={quote(NASTY_PIPE, safe='')}"
    file = tmp_path / "plan.html"
    file.write_bytes(online.request.get(address).body())
    online.close()

    offline = browser.new_context(offline=True)
    page = offline.new_page()
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(file.as_uri())
    page.wait_for_selector(".leaflet-marker-icon .mark.valve")

    assert asked == [file.as_uri()]
    assert faults == []
    assert page.title() == title
    assert NASTY_PIPE in (page.text_content(".what") or "")
    assert page.locator(".leaflet-marker-icon .mark.valve").first.inner_text().isdigit()
    assert page.locator("canvas").count() == 1
    offline.close()
