"""A valve will not close, and there is no signal: the next valves come from the tablet itself."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from fieldops.access import Role
from fieldops.network.service import FactsWish, change_valve_facts
from tests.browser.conftest import PATIENCE_MS
from tests.browser.tablet import LANDSCAPE, STUCK, Tablet, serve_shift

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.browser.tablet import Shift

pytestmark = [pytest.mark.browser, pytest.mark.long]


@pytest.fixture
def shift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    """Serve a burst that is given to a crew."""
    with serve_shift(tmp_path_factory.mktemp("shift")) as served:
        yield served


@pytest.fixture
def tablet(shift: Shift, browser: Browser) -> Iterator[Tablet]:
    """Give the crew's tablet with all that it needs without a signal."""
    context = browser.new_context(
        viewport={"width": LANDSCAPE[0], "height": LANDSCAPE[1]},
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
        reduced_motion="reduce",
    )
    made = Tablet.open(context, shift.site.url)
    made.sign_in()
    made.prepare()
    made.offline()
    yield made
    context.close()


def find_stuck(tablet: Tablet, shift: Shift) -> None:
    """Record that the valve will not close, and look at what the tablet says then."""
    record = (
        "m.jobNow(told.order).then((job) => m.recordDeed(job.outage, 'confirm_valve',"
        " {valve: told.valve, table: 'valve', result: 'will_not_close'}))"
    )
    tablet.ask("local_state", record, {"order": shift.order, "valve": STUCK})
    tablet.go(f"#/job/{shift.order}?ring={STUCK}")
    tablet.page.wait_for_selector("main [data-part=close]")


def outage(tablet: Tablet, shift: Shift) -> dict[str, Any]:
    """Ask the server for the outage, as the console does."""
    answer = tablet.context.request.get(
        f"{shift.site.url}/api/v1/outages/{shift.outage}", headers=shift.headers
    )
    found: dict[str, Any] = json.loads(answer.text())
    return found


def test_the_next_valves_are_worked_out_here_and_confirmed_by_the_server(
    tablet: Tablet, shift: Shift, browser: Browser
) -> None:
    """With what changes, and how old it all is; the console has it when the signal is back."""
    page = tablet.page
    find_stuck(tablet, shift)

    expect(page.locator("[data-part=close] [data-valve]")).to_have_count(3)
    expect(page.locator("[data-fact=properties]")).to_have_text("265")
    expect(page.locator("[data-part=ages]")).to_contain_text("起其他工单情况未知")
    expect(page.locator("[data-part=difference]")).to_contain_text(STUCK)
    tablet.picture("ring-offline")

    call = page.locator("[data-part=call]")
    if call.count():
        page.click("main [data-record]")
        assert [op["action"] for op in tablet.ops()] == ["confirm_valve"], "nobody authorised it"
        page.fill("[name=authorised_by]", "王芳")
    tablet.record()
    kept = tablet.ops()[-1]
    assert kept["action"] == "device_ring"
    shut = page.locator("li[data-valve]").filter(has_text="核实关闭")
    expect(shut).to_contain_text("待核实")
    expect(page.locator("li[data-valve]").filter(has_text="可不关")).to_contain_text("可不操作")
    tablet.go("#/outbox")
    expect(page.locator("#waiting")).to_contain_text(f"{STUCK} · 关不动 · {shift.outage}")

    tablet.go(f"#/job/{shift.order}?ring={STUCK}")
    expect(page.locator("[data-part=verdict]")).to_contain_text("服务器尚未核对")
    expect(page.locator("[data-part=close] [data-valve]")).to_have_count(3)
    assert page.locator("[data-record]").count() == 0, "it is recorded already"

    tablet.online()
    tablet.send()
    expect(page.locator("[data-verdict=confirmed]")).to_contain_text("265")
    tablet.picture("ring-confirmed")
    (ring,) = outage(tablet, shift)["device_rings"]
    assert ring["verdict"] == "confirmed"
    assert ring["stuck"] == STUCK
    assert tablet.faults == []
    look_at_the_console(tablet, shift, browser)


def look_at_the_console(tablet: Tablet, shift: Shift, browser: Browser) -> None:
    """See as a dispatcher the tablet's valves, the verdict, and who authorised them."""
    context = browser.new_context(
        viewport={"width": LANDSCAPE[0], "height": LANDSCAPE[1]},
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
    )
    context.add_cookies(shift.site.cookies_of(Role.DISPATCHER))  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{shift.site.url}/dispatch")
    page.wait_for_selector(f"#order-{shift.order}")
    page.keyboard.press("/")
    page.keyboard.type(f"打开 {shift.outage}")
    page.keyboard.press("Enter")
    shown = page.locator("[data-part=device-rings] [data-ring=confirmed]")
    expect(shown).to_contain_text("服务器确认二次关阀方案", timeout=PATIENCE_MS)
    expect(shown.locator("[data-fact=authorised]")).to_contain_text("王芳")
    shown.scroll_into_view_if_needed()
    if tablet.pictures is not None:
        page.screenshot(path=tablet.pictures / "ring-console.png")
    context.close()


def test_what_the_network_knows_better_is_shown_as_a_correction(
    tablet: Tablet, shift: Shift
) -> None:
    """Meanwhile somebody else has found that the next valve cannot be closed either."""
    page = tablet.page
    find_stuck(tablet, shift)
    first = page.locator("[data-part=close] [data-valve]").first.get_attribute("data-valve")
    assert first is not None
    with shift.site.sessions.begin() as session:
        wish = FactsWish(operability="inoperable")
        change_valve_facts(session, first, wish, by="王芳", now=dt.datetime.now(dt.UTC))

    page.fill("[name=authorised_by]", "王芳")
    tablet.record()
    tablet.go(f"#/job/{shift.order}?ring={STUCK}")
    tablet.online()
    tablet.send()

    shown = page.locator("[data-verdict=corrected]")
    expect(shown).to_contain_text(f"去掉 {first}")
    expect(shown).to_contain_text("已被服务器更正")
    assert page.locator("[data-part=close]").count() == 0, "nobody works by it any more"
    tablet.picture("ring-corrected")
    (ring,) = outage(tablet, shift)["device_rings"]
    assert ring["verdict"] == "corrected"
    assert first in ring["valves_removed"]
    tablet.job(shift.order)
    expect(page.locator("main")).to_contain_text("服务器更正二次关阀方案")
