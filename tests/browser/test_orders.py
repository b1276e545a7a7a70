"""A work order in a browser: it follows what others do, and throws nobody's words away."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from tests.fieldops.work_orders.orders import act, lead_to, make_cast, make_order

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import MapPage, Site

    OpenMap = Callable[..., MapPage]

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_an_order_follows_and_keeps_what_is_being_filled_in(open_map: OpenMap, site: Site) -> None:
    """Untouched, the page shows the new state by itself; touched, it says that there is one."""
    now = dt.datetime.now(dt.UTC)
    with site.sessions.begin() as session:
        cast = make_cast(session)
        order = make_order(session, now, address="中山北路 128 号")
        lead_to(session, order, cast, "assigned")
    page = open_map(f"/orders/{order.id}", language="zh_CN").page
    page.wait_for_selector("[data-is-live=yes]")
    with site.sessions.begin() as session:
        act(session, order, "accept", cast.crew, now)
    page.wait_for_selector("h1 .state.accepted")
    page.wait_for_selector("[data-is-live=yes]")
    page.click("details.step.hold summary")
    page.fill("#hold-reason", "等占道许可")
    with site.sessions.begin() as session:
        act(session, order, "depart", cast.crew, now)
    page.wait_for_selector("[data-live-banner]:not([hidden])")
    assert page.input_value("#hold-reason") == "等占道许可"
    page.click("[data-live-banner] a")
    page.wait_for_selector("h1 .state.en_route")


def test_a_dispatcher_holds_an_order_by_page(open_map: OpenMap, site: Site) -> None:
    """What lacks is said, and what was said stays."""
    now = dt.datetime.now(dt.UTC)
    with site.sessions.begin() as session:
        cast = make_cast(session)
        order = make_order(session, now)
        lead_to(session, order, cast, "triaged")
    opened = open_map(f"/orders/{order.id}", language="zh_CN")
    page = opened.page
    page.click("details.step.hold summary")
    page.fill("#hold-reason", "等材料")
    page.fill("#hold-resume_by", (now + dt.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M"))
    opened.picture("order-hold", is_resting=False)
    page.click("details.step.hold button.primary")
    page.wait_for_selector("h1 .state.on_hold")
    assert "等材料" in opened.text("p.held")
