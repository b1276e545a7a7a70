"""A crew's shift with the network really off; then the console shows each step at its true time."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from fieldops.access import Role
from fieldops.events.service import Actor, Operation
from fieldops.live_outages.service import apply_operation
from fieldops.release_codes.service import give_code, read_code
from tests.browser.conftest import PATIENCE_MS
from tests.browser.tablet import LANDSCAPE, OTHER_CREW, STUCK, Tablet, serve_shift
from tests.browser.test_tablet_job import draw, fill, press
from tests.fieldops.work_orders.orders import make_actor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.browser.tablet import Shift

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AWAY = dt.timedelta(hours=3)
"""So long the crew is without a network: its clock is set back, and runs on as the work goes on."""
CLOCK = """(() => {
    const True = Date;
    const kept = "test.clock";
    const off = () => Number(localStorage.getItem(kept) ?? 0);
    globalThis.Date = class extends True {
        constructor(...said) {
            if (said.length) super(...said);
            else super(True.now() + off());
        }
        static now() { return True.now() + off(); }
    };
    globalThis.setClock = (ms) => localStorage.setItem(kept, String(ms));
})()"""


@pytest.fixture
def away(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    """Serve a burst of this morning."""
    with serve_shift(tmp_path_factory.mktemp("story"), ago_min=240) as served:
        yield served


class Day:
    """A crew on its way through a day, with a clock of its own."""

    def __init__(self, tablet: Tablet, shift: Shift) -> None:
        """Begin now."""
        self.tablet, self.shift, self.off = tablet, shift, dt.timedelta()

    @property
    def page(self) -> Page:
        """The page in hand."""
        return self.tablet.page

    @property
    def now(self) -> dt.datetime:
        """Tell the time of the tablet."""
        return dt.datetime.now(dt.UTC) + self.off

    def clock(self, off: dt.timedelta) -> None:
        """Set the tablet's clock so far off the server's."""
        self.off = off
        self.page.evaluate("(ms) => setClock(ms)", off.total_seconds() * 1e3)

    def pass_min(self, minutes: float) -> None:
        """Let time pass."""
        self.clock(self.off + dt.timedelta(minutes=minutes))

    def picture(self, name: str) -> None:
        """Keep what can be seen in four ways, where somebody wants to look at it."""
        if self.tablet.pictures is None:
            return
        for language, theme, size in (
            ("en", "dark", (800, 1280)),
            ("en", "light", LANDSCAPE),
            ("zh_CN", "dark", LANDSCAPE),
            ("zh_CN", "light", (800, 1280)),
            ("zh_CN", "light", LANDSCAPE),
        ):
            self.page.set_viewport_size({"width": size[0], "height": size[1]})
            self.tablet.ask("theme", "m.setTheme(told)", theme)
            if self.tablet.ask("words", "m.language()") != language:
                self.tablet.ask("words", "m.setLanguage(told)", language)
            # The page is drawn anew, and its map with it.
            self.page.wait_for_timeout(500)
            self.tablet.picture(f"story-{name}-{language}-{theme}-{size[0]}x{size[1]}")


@pytest.fixture
def day(away: Shift, browser: Browser) -> Iterator[Day]:
    """Start the day: sign in, fetch the jobs and the map; then the network is gone."""
    context = browser.new_context(
        viewport={"width": LANDSCAPE[0], "height": LANDSCAPE[1]},
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
        reduced_motion="reduce",
    )
    context.add_init_script(CLOCK)
    tablet = Tablet.open(context, away.site.url)
    tablet.sign_in()
    tablet.prepare()
    yield Day(tablet, away)
    context.close()
    assert tablet.faults == []


def test_a_shift_without_a_network_is_told_as_it_was(day: Day, browser: Browser) -> None:
    """Drive, a stuck valve, the next ring, close, repair, restore, hand over; then the console."""
    lose_the_network(day)
    drive(day)
    find_a_stuck_valve(day)
    go_on_with_the_next_ring(day)
    close_the_others(day)
    repair_with_photos(day)
    give_the_water_back(day)
    hand_over(day)
    recorded = all_here(day)
    the_signal_returns(day)
    look_at_the_console(day, browser, recorded)


def all_here(day: Day) -> list[dict[str, Any]]:
    """Give what was recorded, all of it on the device; a try to send it may just be under way."""
    for _ in range(100):
        recorded = day.tablet.ops()
        if {one["state"] for one in recorded} == {"here"}:
            return recorded
        day.page.wait_for_timeout(100)
    pytest.fail(f"not all is on the device: {recorded}")


def lose_the_network(day: Day) -> None:
    """Cut it off, also for the worker, and start the page anew: all of it is on the device."""
    day.tablet.offline()
    day.clock(-AWAY)
    day.page.reload()
    day.tablet.rest()
    day.page.wait_for_selector("main[data-jobs='1']")
    day.picture("1-jobs")
    day.page.click("main .job a.button")
    day.page.wait_for_selector("main .job-page")
    day.picture("2-job")


def drive(day: Day) -> None:
    """Take the job, go there, and hold the briefing."""
    for action, minutes in (("accept", 2), ("depart", 12), ("arrive", 3)):
        press(day.tablet, action)
        day.page.wait_for_selector(f"main [data-main]:not([data-main={action}])")
        day.pass_min(minutes)
    press(day.tablet, "start")
    fill(day.tablet, safety_briefing=True)
    day.tablet.record()
    day.pass_min(5)


def find_a_stuck_valve(day: Day) -> None:
    """Close those before it, then say that it will not close."""
    while True:
        press(day.tablet, "close")
        day.page.wait_for_selector("main [data-record=confirm_valve]")
        if STUCK in day.page.inner_text("h1"):
            break
        shut(day)
    day.picture("3-valve")
    fill(day.tablet, result="will_not_close", turns=4)
    day.page.click("main [data-record]")
    day.page.wait_for_selector("main[data-ring]")
    day.pass_min(6)


def shut(day: Day) -> None:
    """Close the valve whose card is open."""
    fill(day.tablet, result="closed_tight", turns=30)
    day.tablet.record()
    day.pass_min(7)


def go_on_with_the_next_ring(day: Day) -> None:
    """Take the valves that the device has worked out; where dispatch has to be called, call."""
    page = day.page
    expect(page.locator("main[data-ring=shown]")).to_be_visible()
    expect(page.locator("main [data-fact=properties]")).to_have_text("265")
    assert page.locator("main [data-part=ages]").inner_text()
    day.picture("4-ring")
    if page.locator("[data-part=call]").count():
        fill(day.tablet, authorised_by="王芳")
    day.tablet.record()


def comes_next(day: Day) -> str | None:
    """Tell what the main button of the job is for, once its page is there."""
    return day.page.locator("main .job-page [data-main]").get_attribute("data-main")


def close_the_others(day: Day) -> None:
    """Close what the device has added, until the water stands."""
    while comes_next(day) == "close":
        press(day.tablet, "close")
        shut(day)
    expect(day.page.locator("[data-stage=water_stopped]")).to_be_visible()
    day.picture("5-water-stopped")


def repair_with_photos(day: Day) -> None:
    """Ask before digging, repair, and show the pipe before and after."""
    press(day.tablet, "dig")
    fill(day.tablet, owners_asked=["gas", "power", "telecom"], way="later")
    fill(day.tablet, permit_later_reason="夜间爆管")
    day.page.locator("[name=permit_due_at] ~ .options button").first.click()
    day.tablet.record()
    day.pass_min(40)
    press(day.tablet, "finish")
    day.page.wait_for_selector("main [data-record=finish]")
    day.picture("6-finish")
    fill(day.tablet, cause="corrosion", repair="哈夫节一只", material="DN200 哈夫节")
    fill(day.tablet, photo_before_backfill=draw("green"), photo_after=draw("blue"))
    day.tablet.record()
    day.pass_min(5)


def give_the_water_back(day: Day) -> None:
    """Open in the way back, each valve by a code that the dispatcher reads out."""
    extend_the_plan(day)
    while comes_next(day) == "open":
        press(day.tablet, "open")
        day.page.wait_for_selector("[data-release=by-phone]")
        day.picture("7-release")
        day.page.wait_for_selector("[data-release=by-phone]")
        found = re.search(r"V\d+", day.page.inner_text("h1"))
        assert found is not None
        fill(day.tablet, release_code=release(day, found[0]), result="reopened", turns=30)
        day.tablet.record()
        day.pass_min(4)


def extend_the_plan(day: Day) -> None:
    """Let dispatch do, as the crew tells it by phone, what the releases need."""
    named = Actor(name="王芳", roles=frozenset({"dispatcher"}), by_phone_for="李强")
    valve = {"valve": STUCK, "result": "will_not_close"}
    for action, body in (("confirm_valve", valve), ("approve_plan", {})):
        with day.shift.site.sessions.begin() as session:
            told = Operation(
                subject_kind="outage", subject_id=day.shift.outage, action=action, body=body
            )
            outcome = apply_operation(session, told, named, dt.datetime.now(dt.UTC))
            assert outcome.status == "applied", outcome


def release(day: Day, valve: str) -> str:
    """Let a dispatcher release a valve, and read the code out."""
    device = day.tablet.ask("session", "m.session().device.id")
    with day.shift.site.sessions.begin() as session:
        who = make_actor(session, "dispatcher")
        said: dict[str, Any] = {"asked_by": "李强", "is_heard": True, "actor": who, "now": day.now}
        key = give_code(session, day.shift.outage, valve, device, **said)
        assert who.person_id is not None
        return read_code(session, key, who.person_id, day.now)[1]


def hand_over(day: Day) -> None:
    """Tell whoever comes what is open, shut and tagged."""
    day.page.click("[data-step=hand_over]")
    day.page.wait_for_selector("main [data-record=hand_over]")
    day.picture("8-hand-over")
    fill(day.tablet, crew=OTHER_CREW, open_work="冲洗取样", handed_over_to="赵磊")
    day.tablet.record()
    expect(day.page.locator("[data-main=none]")).to_be_visible()
    expect(day.page.locator("#status-bar")).to_contain_text(str(day.tablet.unsent()))


def the_signal_returns(day: Day) -> None:
    """Send it all, photos last."""
    day.clock(dt.timedelta())
    day.tablet.online()
    day.tablet.send()
    for _ in range(150):
        if not day.tablet.unsent():
            break
        day.page.wait_for_timeout(100)
    left = [one for one in day.tablet.ops() if one["state"] != "confirmed"]
    assert left == []
    day.tablet.go("#/outbox")
    day.picture("9-sent")


def look_at_the_console(day: Day, browser: Browser, recorded: list[dict[str, Any]]) -> None:
    """See every step at its true time, and both photos."""
    site = day.shift.site
    context = browser.new_context(
        viewport={"width": LANDSCAPE[0], "height": LANDSCAPE[1]},
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
    )
    context.set_default_timeout(PATIENCE_MS)
    context.add_cookies(site.cookies_of(Role.DISPATCHER))  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{site.url}/dispatch")
    page.wait_for_selector(f"#order-{day.shift.order} .state[data-state=assigned]")
    page.keyboard.press("/")
    page.keyboard.type(f"打开 {day.shift.order}")
    page.keyboard.press("Enter")
    page.click("#drawer a[data-focus=page]")
    page.wait_for_selector("ol.history")
    steps = [one for one in recorded if one["subject"].startswith("work_order:")]
    told = re.findall(r"发生于 (\d\d-\d\d \d\d:\d\d)", page.inner_text("ol.history"))
    # Between them stands what followed from them, as that there were fewer without water.
    following = iter(told[::-1])
    for one in steps:
        assert local(one["occurred_at"]) in following, one["action"]
    page.wait_for_selector("img.photo")
    for photo in page.locator("img.photo").all():
        photo.scroll_into_view_if_needed()
        page.wait_for_timeout(200)
        assert photo.evaluate("(one) => one.decode().then(() => one.naturalWidth)") > 0
    photos = {sha256 for one in steps for sha256 in one["photos"]}
    shown = page.locator("img.photo").evaluate_all("all => all.map((one) => one.src)")
    assert len(photos) == 2
    assert {address.rpartition("/")[2] for address in shown} >= photos
    keep(day, page, "10-order-in-the-office")
    page.goto(f"{site.url}/outages/{day.shift.outage}")
    expect(page.locator("#device-rings [data-ring=confirmed]")).to_be_visible()
    text = page.inner_text("#valves")
    for one in recorded:
        if one["body"].get("result") in {"closed_tight", "reopened"}:
            assert local(one["occurred_at"])[-5:] in text, one
    keep(day, page, "11-outage-in-the-office")
    context.close()


def local(moment: str) -> str:
    """Write a moment as the pages of the office do."""
    zone = ZoneInfo("Asia/Shanghai")
    return dt.datetime.fromisoformat(moment).astimezone(zone).strftime("%m-%d %H:%M")


def keep(day: Day, page: Page, name: str) -> None:
    """Keep what the office sees, where somebody wants to look at it."""
    if day.tablet.pictures is not None:
        page.screenshot(path=day.tablet.pictures / f"story-{name}.png", full_page=True)
