"""The night desk in a real browser: it renews itself, and never under somebody's hands."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from fieldops.events.service import SYSTEM
from fieldops.incidents.service import IncidentDraft, open_incident

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import MapPage, Site

    OpenMap = Callable[..., MapPage]

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def report_collapse(site: Site, at_m: float) -> str:
    """Open an incident of its own, and give its id."""
    with site.sessions.begin() as session:
        key = session.execute(text("SELECT min(key) FROM pipe")).scalar_one()
        draft = IncidentDraft(kind="collapse", pipe_key=key, at_m=at_m, is_separate=True)
        return open_incident(session, draft, SYSTEM, dt.datetime.now(dt.UTC)).id


def test_the_desk_shows_what_has_happened_and_waits_for_who_is_writing(
    site: Site, open_map: OpenMap
) -> None:
    """A half-written remark is never lost."""
    page = open_map("/duty", language="zh_CN").page
    page.wait_for_selector("html[data-desk=ready]")
    first = report_collapse(site, 1.0)
    page.wait_for_selector(f"#declared option[value='{first}']", state="attached")
    page.wait_for_selector("html[data-desk=ready]")
    page.fill("#remarks", "北门钥匙在柜里")
    second = report_collapse(site, 2.0)
    page.wait_for_selector("#news:not([hidden])")
    assert page.input_value("#remarks") == "北门钥匙在柜里"
    assert page.locator(f"#declared option[value='{second}']").count() == 0
    page.click("#news a")
    page.wait_for_selector(f"#declared option[value='{second}']", state="attached")
