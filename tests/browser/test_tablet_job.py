"""A crew's whole job with no signal, by taps alone; then the server's log holds it as it was."""

from __future__ import annotations

import datetime as dt
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from playwright.sync_api import expect
from sqlalchemy import text

from fieldops.events.queries import fetch_events_of
from fieldops.release_codes.service import give_code, read_code
from fieldops.work_orders.service import find_order
from tests.browser.tablet import (
    LANDSCAPE,
    OTHER_CREW,
    PORTRAIT,
    STUCK,
    Tablet,
    act,
    serve_shift,
)
from tests.fieldops.work_orders.orders import make_actor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from fieldops.events.service import Event
    from tests.browser.tablet import Shift

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def draw(colour: str) -> bytes:
    """Give a photo, each another."""
    file = BytesIO()
    Image.new("RGB", (64, 48), colour).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
def shift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    """Serve a burst that is given to a crew."""
    with serve_shift(tmp_path_factory.mktemp("shift"), is_packed=False) as served:
        yield served


@pytest.fixture
def tablet(shift: Shift, browser: Browser) -> Iterator[Tablet]:
    """Sign the crew in, beside the burst, and take the network away."""
    with shift.site.sessions() as session:
        order = find_order(session, shift.order)
    context = browser.new_context(
        viewport={"width": LANDSCAPE[0], "height": LANDSCAPE[1]},
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
        geolocation={"longitude": order.lon + 0.0003, "latitude": order.lat, "accuracy": 6},
        permissions=["geolocation"],
        reduced_motion="reduce",
    )
    made = Tablet.open(context, shift.site.url)
    made.sign_in()
    made.page.wait_for_selector("main[data-jobs='1']")
    for _ in range(100):
        if made.ask("sw_register", "m.isKeptOffline()"):
            break
        made.page.wait_for_timeout(100)
    made.offline()
    yield made
    context.close()
    assert made.faults == []


def press(tablet: Tablet, action: str) -> None:
    """Press the one main button, which must be for this."""
    tablet.main_button(action).click()


def fill(tablet: Tablet, **values: object) -> None:
    """Answer what a page asks: words and numbers by typing, the rest by pressing."""
    for name, value in values.items():
        tablet.page.wait_for_selector(f"[data-name={name}], [name={name}]")
        if isinstance(value, bytes):
            tablet.attach(name, value)
        elif tablet.page.locator(f"[data-name={name}]").count():
            for code in value if isinstance(value, list) else [value]:
                tablet.choose(name, "yes" if code is True else str(code))
        else:
            tablet.page.fill(f"[name={name}]", str(value))


def close_valve(tablet: Tablet, valve: str, **values: object) -> None:
    """Close a valve that comes next."""
    press(tablet, "close")
    expect(tablet.page.locator("h1")).to_contain_text(valve)
    fill(tablet, result="closed_tight", **values)
    tablet.record()


def open_valve(tablet: Tablet, shift: Shift, valve: str, tag: str) -> None:
    """Open a valve that comes next, as the dispatcher releases it by phone."""
    press(tablet, "open")
    expect(tablet.page.locator("h1")).to_contain_text(valve)
    tablet.page.wait_for_selector("[data-release=by-phone]")
    fill(tablet, release_code="00000000", result="reopened", tag=tag)
    tablet.page.click("main [data-record]")
    expect(tablet.page.locator("main [role=alert].wrong")).to_contain_text(valve)
    fill(tablet, release_code=release(shift, tablet, valve))
    tablet.record()


def open_part(tablet: Tablet, shift: Shift, valve: str, tag: str) -> None:
    """Give a part its water back, of which this device alone knows that it is shut."""
    tablet.page.click(f"main .parts a[href*='valve%3A{valve}']")
    tablet.page.wait_for_selector("[data-release=by-phone]")
    fill(tablet, release_code=release(shift, tablet, valve), **{f"tag_{valve}": tag})
    tablet.record()


def release(shift: Shift, tablet: Tablet, valve: str) -> str:
    """Let a dispatcher release a valve, and read the code out."""
    device = tablet.ask("session", "m.session().device.id")
    now = dt.datetime.now(dt.UTC)
    with shift.site.sessions.begin() as session:
        who = make_actor(session, "dispatcher")
        said: dict[str, Any] = {"asked_by": "李强", "is_heard": True, "actor": who, "now": now}
        key = give_code(session, shift.outage, valve, device, **said)
        assert who.person_id is not None
        return read_code(session, key, who.person_id, now)[1]


def events_of(shift: Shift) -> dict[str, Event]:
    """Give what the log holds, by the operation that did it."""
    with shift.site.sessions() as session:
        keys = {
            kind: session.execute(
                text(f"SELECT key FROM {table} WHERE id = :id"),  # noqa: S608 - our own names
                {"id": subject},
            ).scalar_one()
            for kind, table, subject in (
                ("work_order", "work_order", shift.order),
                ("outage", "outage", shift.outage),
            )
        }
        found = [
            event for kind, key in keys.items() for event in fetch_events_of(session, kind, [key])
        ]
    return {event.op_id: event for event in found if event.op_id}


def stop_the_water(tablet: Tablet) -> list[str]:
    """Go there, hold the briefing and close the two valves, one of which passes."""
    page = tablet.page
    for action in ("accept", "depart", "arrive", "start"):
        press(tablet, action)
    page.click("main [data-record]")
    assert page.locator("main p.wrong").count() == 1, "a step without what it needs was recorded"
    fill(tablet, safety_briefing=True)
    tablet.record()
    page.wait_for_selector("[data-valve]")
    valves: list[str] = page.eval_on_selector_all(
        "[data-valve]", "all => all.map((one) => one.dataset.valve)"
    )
    assert STUCK in valves
    close_valve(tablet, valves[0], turns=30, tag="T-11", photo=draw("red"), torque_nm=80)
    page.click(f"[data-valve='{valves[1]}'] a")
    fill(tablet, result="passing", accept_passing=True, turns=5, tag="T-12", gland_leaking=True)
    expect(page.locator("main .notice.warn")).to_be_visible()
    tablet.picture("job-valve")
    tablet.record()
    expect(page.locator("[data-stage=water_stopped]")).to_be_visible()
    return valves[:2]


def repair(tablet: Tablet) -> None:
    """Look, measure the gas, ask before digging, wait for material, and repair."""
    page = tablet.page
    page.click("main .others a[href*=findings]")
    fill(tablet, text="管底锈穿", photos=draw("orange"))
    tablet.record()
    page.click("[data-step=enter_chamber]")
    fill(tablet, oxygen_percent=17, explosive_percent_lel=0, hydrogen_sulphide_ppm=0)
    fill(tablet, carbon_monoxide_ppm=0, ventilated=True, second_person="王强")
    page.click("main [data-record]")
    expect(page.locator("main p.wrong")).to_have_count(1)
    tablet.picture("job-chamber")
    fill(tablet, oxygen_percent=20.8)
    tablet.record()
    press(tablet, "dig")
    fill(tablet, owners_asked=["gas", "power", "telecom"], way="later")
    fill(tablet, permit_later_reason="夜间爆管")
    page.locator("[name=permit_due_at] ~ .options button").first.click()
    tablet.record()
    page.click("[data-step=hold]")
    fill(tablet, reason="等待物资")
    page.locator("[name=resume_by] ~ .options button").first.click()
    tablet.record()
    press(tablet, "resume")
    press(tablet, "finish")
    fill(tablet, cause="corrosion", repair="哈夫节一只", material="DN200 哈夫节")
    fill(tablet, photo_before_backfill=draw("green"), photo_after=draw("blue"))
    page.click("[data-add=part]")
    fill(tablet, part_1="螺栓 M16", quantity_1=8)
    tablet.picture("job-finish")
    tablet.record()


def send_all(tablet: Tablet) -> None:
    """Let the signal return, and wait until nothing waits on the device."""
    tablet.online()
    tablet.send()
    for _ in range(300):
        if not tablet.unsent():
            break
        tablet.page.wait_for_timeout(100)
    left = [(one["action"], one["state"], one.get("answer")) for one in tablet.ops()]
    assert [one for one in left if one[1] != "confirmed"] == []


def test_a_whole_job_is_done_with_no_signal_and_told_as_it_was(
    shift: Shift, tablet: Tablet
) -> None:
    """From the offer to the water that is back; each step is asked for what it needs."""
    tablet.picture("jobs")
    tablet.page.click("main .job a.button")
    first, second = stop_the_water(tablet)
    repair(tablet)
    tablet.picture("job-open")
    open_valve(tablet, shift, second, "T-12")
    open_part(tablet, shift, first, "T-11")
    press(tablet, "restore")
    fill(tablet, flushed=True, sample_point="12 号楼前消火栓", turbidity_ntu=0.4, chlorine_mg_l=0.3)
    tablet.record()
    expect(tablet.page.locator("[data-main=none]")).to_be_visible()
    tablet.picture("job-done")
    recorded = tablet.ops()
    assert {one["state"] for one in recorded} <= {"here", "sending"}
    with shift.site.sessions() as session:
        assert find_order(session, shift.order).state == "assigned", "it was not offline at all"

    send_all(tablet)
    log = events_of(shift)
    for one in recorded:
        told = log[one["op_id"]]
        claimed = dt.datetime.fromisoformat(one["occurred_at"])
        assert abs((told.occurred_at - claimed).total_seconds()) < 2, one["action"]
        assert told.received_at > told.occurred_at
    with shift.site.sessions() as session:
        after = find_order(session, shift.order)
    assert after.state == "restored"
    assert 20 < after.data["arrival_distance_m"] < 40
    assert after.data["parts"] == [{"name": "螺栓 M16", "quantity": 8}]
    by_action = {one["action"]: log[one["op_id"]] for one in recorded}
    assert by_action["note"].body["photos"]

    with shift.site.sessions.begin() as session:
        act(session, after, "send_back", {"reason": "照片不清"}, dt.datetime.now(dt.UTC))
    hand_over(tablet, shift)


def hand_over(tablet: Tablet, shift: Shift) -> None:
    """Hand the job over at shift end with no signal: upright, in the other light and in English."""
    page = tablet.page
    tablet.ask("day", "m.refreshDay()")
    tablet.offline()
    page.set_viewport_size({"width": PORTRAIT[0], "height": PORTRAIT[1]})
    tablet.ask("theme", "m.setTheme('dark')")
    tablet.ask("words", "m.setLanguage('en')")
    page.click("[data-step=hand_over]")
    fill(tablet, crew=OTHER_CREW, open_work="Take the photo again", handed_over_to="赵磊")
    tablet.picture("job-hand-over-en-dark")
    tablet.record()
    expect(page.locator("[data-main=none]")).to_be_visible()
    send_all(tablet)
    with shift.site.sessions() as session:
        after = find_order(session, shift.order)
    assert (after.state, after.crew_id) == ("assigned", OTHER_CREW)
    assert (after.data["open_work"], after.data["valves_shut"]) == ("Take the photo again", [])
