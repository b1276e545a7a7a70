"""The tablet's pages drawn anew: nothing that somebody typed goes, and nothing is pressed twice."""

from __future__ import annotations

import datetime as dt
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from playwright.sync_api import expect

from fieldops.access import Role
from fieldops.accounts.queries import insert_person
from fieldops.accounts.service import set_password
from fieldops.order_book.queries import update_order
from fieldops.work_orders.service import OrderDraft, find_order, open_order
from tests.browser.tablet import DISPATCHER, LANDSCAPE, PASSWORD, PORTRAIT, Tablet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.browser.tablet import Shift

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LONER = "zhao.duyi"
"""Of no crew."""


@pytest.fixture(scope="module")
def closed(shift: Shift) -> str:
    """Let a job of the crew be over, and somebody be of no crew."""
    now = dt.datetime.now(dt.UTC)
    with shift.site.sessions.begin() as session:
        person = insert_person(
            session, login=LONER, name="赵独一", roles=(Role.CREW,), password_hash=None
        )
        set_password(session, person, PASSWORD)
        place = find_order(session, shift.order)
        draft = OrderDraft(kind="check", severity="burst", lon=place.lon, lat=place.lat)
        order = open_order(session, draft, DISPATCHER, now)
        over = {"state": "closed", "is_open": False, "closed_at": now, "crew_key": place.crew_key}
        update_order(session, order.key, **over)
    return order.id


@pytest.fixture(scope="module")
def tablet(shift: Shift, closed: str, browser: Browser) -> Iterator[Tablet]:
    """Sign the crew in, and take the network away."""
    width, height = LANDSCAPE
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale="zh-CN", reduced_motion="reduce"
    )
    made = Tablet.open(context, shift.site.url)
    assert closed
    made.sign_in(LONER)
    expect(made.page.locator("main .notice")).to_contain_text("不属于任何班组")
    made.sign_in()
    made.prepare()
    made.offline()
    yield made
    context.close()
    assert made.faults == []


def test_a_job_that_is_over_is_still_told_with_no_signal(tablet: Tablet, closed: str) -> None:
    """After all others."""
    tablet.go("#/jobs")
    expect(tablet.page.locator(f"main .jobs > :last-child [data-done='{closed}']")).to_be_visible()


def test_what_was_typed_stays_when_the_language_or_the_light_is_changed(
    tablet: Tablet, shift: Shift
) -> None:
    """Also what only stands there because of something else, and a photo; and the next is empty."""
    page, file = tablet.page, BytesIO()
    Image.new("RGB", (8, 8), "teal").save(file, "JPEG")
    tablet.go("#/register")
    tablet.choose("kind", "burst")
    tablet.choose("danger", "yes")
    page.fill("[name=address]", "长江路 18 号")
    tablet.attach("photos", file.getvalue())
    turn_over(tablet)
    expect(page.locator("h1")).to_contain_text("Register")
    expect(page.locator("[data-name=kind] [data-code=burst]")).to_have_attribute(
        "aria-pressed", "true"
    )
    expect(page.locator(".call-now")).to_be_visible()
    expect(page.locator("[name=address]")).to_have_value("长江路 18 号")
    expect(page.locator("[data-name=photos] [role=status]")).to_contain_text("1")
    page.click(".register-form .primary")
    expect(page.locator(".registered li")).to_have_count(1)
    assert len(tablet.ops()[-1]["photos"]) == 1
    expect(page.locator("[name=address]")).to_have_value("")

    tablet.go("#/propose")
    tablet.choose("kind", "wrong_fact")
    page.fill("[name=feature]", "V233")
    page.fill("[name=turns]", "23")
    turn_over(tablet)
    expect(page.locator("[name=turns]")).to_have_value("23")
    tablet.go(f"#/job/{shift.order}?do=findings")
    page.fill("[name=text]", "沟里有水")
    tablet.ask("day", "m.refreshDay().catch(() => null)")
    turn_over(tablet)
    expect(page.locator("[name=text]")).to_have_value("沟里有水")
    tablet.go("#/jobs")
    tablet.go(f"#/job/{shift.order}?do=findings")
    expect(page.locator("[name=text]")).to_have_value("")
    turn_over(tablet)


def turn_over(tablet: Tablet) -> None:
    """Change language and light, as a thumb does."""
    tablet.page.evaluate("() => { document.querySelector('main').dataset.was = 'here'; }")
    tablet.page.click("#switch-theme")
    tablet.page.click("#switch-language")
    tablet.page.wait_for_selector("main:not([data-was])[data-state=shown]")


SYMBOLS = """async () => {
  const [{ showMap }, { setTheme }] = await Promise.all(
    ["map_page", "theme"].map((name) => import(`/static/js/tablet/${name}.js`)));
  const place = document.createElement("div");
  place.className = "job-map";
  document.getElementById("page").append(place);
  const view = await showMap(place, { marks: [{ kind: "job", id: "W", lon: 117.36, lat: 31.13 }] });
  const colours = [];
  for (const theme of ["light", "dark", "light"]) {
    setTheme(theme);
    await new Promise((done) => view.map.once("idle", done));
    const { data } = view.map.getImage("burst-job");
    const drawn = [...data.data.slice(4 * (28 * 56 + 28)).slice(0, 3)];
    const wanted = getComputedStyle(document.documentElement).getPropertyValue("--colour-shut");
    colours.push(["#" + drawn.map((part) => part.toString(16).padStart(2, "0")).join(""), wanted]);
  }
  view.remove();
  return colours;
}"""


def test_the_signs_on_the_map_follow_the_light(tablet: Tablet) -> None:
    """They are pictures, which do not change with the style sheet by themselves."""
    tablet.go("#/jobs")
    colours = tablet.page.evaluate(SYMBOLS)
    assert [drawn for drawn, _ in colours] == [wanted.strip().lower() for _, wanted in colours]
    assert colours[0] != colours[1]


MOVE = """(async () => {
  const pack = await m.kv.get("pack");
  await m.kv.set("pack", { ...pack, district: "d-7", name: "江北" });
  new BroadcastChannel("fieldops-pack").postMessage("changed");
  return pack;
})()"""


def test_a_map_of_another_district_is_called_that(tablet: Tablet) -> None:
    """It stays until the own one is here whole, and must not be taken for it."""
    tablet.go("#/map")
    pack = tablet.ask("db", MOVE)
    expect(tablet.page.locator(".map-top .notice")).to_contain_text("江北")
    expect(tablet.page.locator("[data-chip=pack]")).to_contain_text("其他片区")
    tablet.go("#/settings")
    expect(tablet.page.locator(".pack .notice")).to_contain_text("江北")
    tablet.ask("db", "m.kv.set('pack', told)", pack)


RENEW = """async () => {
  const { kv, open } = await import("/static/js/tablet/db.js");
  const pack = await kv.get("pack"), db = await open();
  const wait = (name) => new Promise((done) => window.view.map.once(name, done));
  const place = document.createElement("div");
  place.className = "job-map";
  document.getElementById("page").append(place);
  const { showMap } = await import("/static/js/tablet/map_page.js");
  window.view = await showMap(place, { focus: { lon: 117.36, lat: 31.13, zoom: 15 } });
  await wait("idle");
  const drawing = pack.files.find(({ kind }) => kind === "drawing"), sha256 = "f".repeat(64);
  for (const key of await db.getAllKeys("chunks")) {
    if (!key.startsWith(drawing.sha256)) continue;
    await db.put("chunks", await db.get("chunks", key), key.replace(drawing.sha256, sha256));
    await db.delete("chunks", key);
  }
  const files = pack.files.map((file) => (file === drawing ? { ...file, sha256 } : file));
  await kv.set("pack", { ...pack, files });
  new BroadcastChannel("fieldops-pack").postMessage("changed");
  await wait("styledata");
  await wait("idle");
  const { url } = view.map.getSource("network"), error = place.firstChild.dataset.mapError;
  view.remove();
  return [url.endsWith(sha256), error ?? null];
}"""


def test_a_map_that_is_open_goes_over_to_the_pack_that_has_come(tablet: Tablet) -> None:
    """The pieces of the old one are gone by then."""
    tablet.go("#/jobs")
    assert tablet.page.evaluate(RENEW) == [True, None]


def test_a_job_shows_its_map_and_its_main_button_beside_the_question_for_the_position(
    tablet: Tablet, shift: Shift
) -> None:
    """With no signal, upright and lying; nobody has to answer before the work goes on."""
    tablet.job(shift.order)
    view = ""
    for width, height in (LANDSCAPE, PORTRAIT):
        tablet.page.set_viewport_size({"width": width, "height": height})
        expect(tablet.page.locator("#positions-ask")).to_be_visible()
        frame = tablet.page.locator(".job-map .map-frame")
        # The marks are all in sight again where the tablet was turned.
        expect(frame).not_to_have_attribute("data-view", view)
        expect(frame).to_have_attribute("data-map-state", "idle")
        view = frame.get_attribute("data-view") or ""
        assert frame.get_attribute("data-map-error") is None
        assert tablet.page.evaluate(SEEN), (width, height)


SEEN = """() => {
  const places = ["[data-main]", ".way .button, .way button", ".marks .badge"]
    .map((each) => document.querySelector(`main ${each}`).getBoundingClientRect());
  const [main, way, badge] = places;
  const middle = document.elementFromPoint(main.x + main.width / 2, main.y + main.height / 2);
  return badge.top - way.bottom >= 8 && main.top - badge.bottom >= 8
    && main.bottom <= innerHeight && middle?.closest("[data-main]") !== null;
}"""


def test_a_second_tap_of_the_same_thumb_takes_no_second_step(tablet: Tablet, shift: Shift) -> None:
    """The next step comes up under the thumb; it is not meant yet."""
    tablet.job(shift.order)
    box = tablet.main_button("accept").bounding_box()
    assert box is not None
    place = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tablet.page.mouse.click(*place)
    tablet.page.wait_for_selector("main [data-main=depart]")
    tablet.page.mouse.click(*place)
    tablet.page.wait_for_timeout(300)
    told = [op["action"] for op in tablet.ops() if op["subject"] == f"work_order:{shift.order}"]
    assert told == ["accept"]
    tablet.main_button("depart").click()
    tablet.main_button("arrive")
