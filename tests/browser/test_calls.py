"""The page of calls in a real browser: keys alone, and another desk that follows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from fieldops.access import Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.browser.conftest import MapPage

    OpenMap = Callable[..., MapPage]

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def open_calls(open_map: OpenMap) -> Page:
    """Open the page as a service agent, and wait until it listens."""
    page = open_map("/calls", language="zh_CN", role=Role.SERVICE_AGENT, size=(1400, 900)).page
    page.wait_for_selector("html[data-calls=ready]")
    page.wait_for_selector("html[data-fresh=listening]")
    return page


def test_a_call_is_taken_by_keys_and_another_desk_sees_it(open_map: OpenMap) -> None:
    """From the initials of a street to the number of the report."""
    page, other = open_calls(open_map), open_calls(open_map)
    page.keyboard.type("cx")
    page.wait_for_selector("#place-results li")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("#place-chosen").inner_text()
    assert "澄溪" in page.input_value("#place")
    page.wait_for_selector("#known:not([hidden])")
    assert "管段" in page.locator("#known").inner_text()
    page.keyboard.press("Tab")
    page.select_option("#kind", "other")
    page.fill("#words", "<b>井盖响</b>")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#told")
    report = page.locator("#told").get_attribute("data-report") or ""
    assert re.fullmatch(r"R-\d+", report)
    assert "<b>井盖响</b>" in page.locator("#told").inner_text()
    other.wait_for_selector(f"#waiting >> text={report}")


def test_what_somebody_is_writing_is_not_taken_away(open_map: OpenMap) -> None:
    """The page stays fresh around it."""
    page = open_calls(open_map)
    page.fill("#place", "老磨坊后面")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#placing")
    page.wait_for_selector("html[data-fresh=listening]")
    page.fill("#found", "正在查")
    other = open_calls(open_map)
    other.fill("#place", "桥边")
    other.keyboard.press("Control+Enter")
    other.wait_for_selector("#told")
    report = other.locator("#told").get_attribute("data-report")
    page.wait_for_selector(f"#waiting >> text={report}")
    assert page.input_value("#found") == "正在查"
