"""The tablet's map: fetched in pieces, drawn with no signal, and told what is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PATIENCE_MS
from tests.browser.tablet import STUCK, Tablet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Route

    from tests.browser.tablet import Shift

pytestmark = [pytest.mark.browser, pytest.mark.loopback]

OPEN = "V001"
FORGET = (
    'm.open().then(async (db) => { await db.clear("chunks");'
    ' await db.delete("kv", "pack"); await db.delete("kv", "pack_facts"); })'
)
COUNT = 'm.open().then((db) => db.count("chunks"))'
FAILS = "m.downloadPack().then(() => null, (error) => error.message || error.name)"
STEPS = (
    "(async () => { const steps = [];"
    " await m.downloadPack((...step) => steps.push(step)); return steps; })()"
)
ROW = (
    '(async () => { const f = await import("/static/js/tablet/pack_format.js");'
    ' const pack = await m.topology(); const row = f.rowOf(pack, "device_id", told);'
    " return Object.fromEntries([..."
    '["position", "lon", "lat", "turns"].map((n) => [n, pack.columns[`device_${n}`][row]])]); })()'
)


@pytest.fixture(scope="module")
def tablet(browser: Browser, shift: Shift) -> Iterator[Tablet]:
    """Open one tablet for all."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en")
    tablet = Tablet.open(context, shift.site.url)
    tablet.sign_in()
    tablet.prepare()
    yield tablet
    assert tablet.faults == []
    context.close()


def rest(tablet: Tablet) -> None:
    """Wait until the map has come to rest."""
    tablet.page.wait_for_selector(".map-frame[data-map-state=idle]", timeout=4 * PATIENCE_MS)


def test_the_map_is_drawn_with_the_network_off(tablet: Tablet) -> None:
    """After a cold start, from the pieces on the device: pipes, the job and its numbered valves."""
    tablet.offline()
    tablet.page.reload()
    tablet.rest()
    tablet.go("#/map")
    rest(tablet)
    frame = tablet.page.locator(".map-frame")
    assert frame.get_attribute("data-map-error") is None
    drawn = tablet.page.evaluate(
        """async () => {
          const { showMap } = await import("/static/js/tablet/map_page.js");
          const place = document.createElement("div");
          place.style.height = "500px";
          document.querySelector("main").append(place);
          const { jobsNow } = await import("/static/js/tablet/local_state.js");
          const job = (await jobsNow())[0];
          const marks = job.outage.valves.map((v) => ({ ...v, kind: "valve", id: v.valve }));
          const view = await showMap(place, { marks, focus: job });
          await new Promise((done) => view.map.once("idle", done));
          const seen = (layer) => new Set(view.map.queryRenderedFeatures({ layers: [layer] })
            .map((one) => String(one.properties.id ?? one.properties.image)));
          const found = { pipes: [...seen("pipes")], marks: [...seen("marks")] };
          view.remove();
          place.remove();
          return found;
        }"""
    )
    assert "P309" in drawn["pipes"]
    assert {"close:1", "close:2"} <= set(drawn["marks"])
    expect(tablet.page.locator("[data-said=pack]")).to_contain_text("Map drawn")
    tablet.picture("map")
    tablet.online()


def test_what_is_touched_tells_what_is_recorded_of_it(tablet: Tablet) -> None:
    """Turns, direction and position come from the pack, with no signal; unknown says so."""
    tablet.offline()
    place = tablet.ask("pack", ROW, STUCK)
    tablet.go(f"#/map?lon={place['lon']}&lat={place['lat']}")
    rest(tablet)
    view = tablet.page.locator(".map-frame").get_attribute("data-view") or ""
    assert view.startswith(f"{place['lon']:.5f}"), view
    # Marks lie above the network: what is meant here is the valve itself.
    tablet.go("#/jobs")
    tablet.page.evaluate(
        """async ({ lon, lat }) => {
          const { showMap } = await import("/static/js/tablet/map_page.js");
          const place = document.createElement("div");
          place.id = "beside";
          place.style.cssText = "position: relative; height: 500px; display: flex";
          document.querySelector("main").replaceChildren(place);
          window.view = await showMap(place, { focus: { lon, lat } });
        }""",
        place,
    )
    rest(tablet)
    box = tablet.page.locator("#beside .map-frame").bounding_box()
    assert box is not None
    tablet.page.mouse.click(box["x"] + box["width"] / 2 + 8, box["y"] + box["height"] / 2 - 6)
    sheet = tablet.page.locator(".map-sheet")
    expect(sheet).to_have_attribute("data-id", STUCK)
    expect(sheet).to_contain_text("Turns to close")
    assert (
        sheet.locator("a", has_text="wrong").get_attribute("href") == f"#/propose?feature={STUCK}"
    )
    sheet.get_by_role("button", name="Close").click()
    expect(sheet).to_be_hidden()
    tablet.page.evaluate("() => window.view.remove()")
    tablet.online()


class Wire:
    """What happens to the files of a pack on their way; nothing, as long as `spoil` is None."""

    def __init__(self, tablet: Tablet) -> None:
        """Stand in the way."""
        self.spoil: Callable[[Route, int], bool] | None = None
        self.asked: list[str] = []
        tablet.context.route("**/api/v1/packs/*/files/*", self.carry)

    def carry(self, route: Route) -> None:
        """Let a request through unless it is spoilt."""
        self.asked.append(f"{route.request.url} {route.request.headers.get('range')}")
        if self.spoil is None or not self.spoil(route, len(self.asked)):
            route.continue_()


@pytest.fixture(scope="module")
def wire(tablet: Tablet) -> Wire:
    """Stand in the way of one tablet's files."""
    return Wire(tablet)


def block(route: Route, _nth: int) -> bool:
    """Let nothing through."""
    route.abort()
    return True


@pytest.fixture
def bare(tablet: Tablet, wire: Wire) -> Iterator[Wire]:
    """Take the pack away, and let no file through for now: the tablet fetches by itself, too."""
    wire.spoil = block
    tablet.ask("pack", "m.downloadPack().catch(() => null)")
    tablet.ask("db", FORGET)
    wire.asked.clear()
    yield wire
    wire.spoil = None


def test_a_download_goes_on_where_it_was_cut_off(tablet: Tablet, bare: Wire) -> None:
    """Pieces that came stay; only what is missing is fetched, and the size is known before."""
    assert tablet.ask("pack", "m.packState()") is None
    offer = tablet.ask("pack", "m.packOffer()")
    assert offer["bytes"] > 0
    assert offer["kept_bytes"] == 0

    def cut(route: Route, nth: int) -> bool:
        if nth > 1:
            route.abort()
        return nth > 1

    bare.asked.clear()
    bare.spoil = cut
    assert tablet.ask("pack", FAILS) is not None
    assert tablet.ask("pack", "m.packState()") is None
    assert tablet.ask("db", COUNT) == 1
    first = bare.asked[0]
    bare.asked.clear()
    bare.spoil = None
    steps: list[list[int]] = tablet.ask("pack", STEPS)
    # What came before is not asked for again.
    assert first not in bare.asked
    assert len(bare.asked) == pieces(offer) - 1
    assert steps[-1] == [offer["bytes"], offer["bytes"]]
    state = tablet.ask("pack", "m.packState()")
    assert state["is_complete"]
    assert state["bytes"] == offer["bytes"]


def pieces(offer: dict[str, Any]) -> int:
    """Count the pieces of all files."""
    return sum(-(-each["bytes"] // (1 << 20)) for each in offer["offer"]["files"])


def test_a_file_made_anew_meanwhile_is_begun_anew(tablet: Tablet, bare: Wire) -> None:
    """Two halves of two files would be no network: the server's ETag is heeded."""

    def change_once(route: Route, nth: int) -> bool:
        if nth != 2:
            return False
        answer = route.fetch()
        route.fulfill(response=answer, headers={**answer.headers, "etag": '"another"'})
        return True

    bare.asked.clear()
    bare.spoil = change_once
    state = tablet.ask("pack", "m.downloadPack()")
    assert state["is_complete"]
    assert len(bare.asked) > 2
    assert tablet.ask("pack", "m.topology().then((pack) => pack.about.counts.pipes > 100)")


def test_a_damaged_file_is_not_kept(tablet: Tablet, bare: Wire) -> None:
    """The hash is held against what came, before anything is computed from it."""

    def damage(route: Route, _nth: int) -> bool:
        answer = route.fetch()
        body = bytearray(answer.body())
        body[-1] ^= 1
        route.fulfill(response=answer, body=bytes(body))
        return True

    bare.spoil = damage
    assert tablet.ask("pack", FAILS) is not None
    assert tablet.ask("pack", "m.packState()") is None
    bare.spoil = None
    assert tablet.ask("pack", "m.downloadPack()")["is_complete"]


def test_the_state_of_valves_is_learnt_without_a_new_map(tablet: Tablet, shift: Shift) -> None:
    """A valve closed at the desk is closed in the tablet's arrays after a short answer."""
    assert tablet.ask("pack", ROW, OPEN)["position"] == 0
    before = tablet.ask("pack", "m.packState()")
    shift.site.app.test_client().post(
        "/api/v1/valves/V001/facts", json={"position": "closed"}, headers=shift.headers
    )
    tablet.ask("pack", "m.refreshFacts()")
    after = tablet.ask("pack", "m.packState()")
    assert tablet.ask("pack", ROW, OPEN)["position"] == 1
    assert after["geometry_revision"] == before["geometry_revision"]
    assert after["revision"] > before["revision"]
    # And still after a cold start.
    tablet.page.reload()
    tablet.rest()
    assert tablet.ask("pack", ROW, OPEN)["position"] == 1


def test_a_map_is_called_old_when_the_network_was_drawn_anew(tablet: Tablet) -> None:
    """Also though the valves' state was heard just now."""
    assert not tablet.ask("pack", "m.packState()")["is_old"]
    age = "m.kv.get('pack').then((pack) => m.kv.set('pack',"
    age += " {...pack, geometry_revision: pack.geometry_revision + told}))"
    tablet.ask("db", age, -1)
    tablet.ask("pack", "m.refreshFacts()")
    assert tablet.ask("pack", "m.packState()")["is_old"]
    chip = tablet.page.locator("[data-chip=pack]")
    expect(chip).to_have_attribute("data-tone", "warn")
    tablet.ask("db", age, 1)
    tablet.ask("pack", "m.refreshFacts()")
    expect(chip).to_have_attribute("data-tone", "plain")


def test_a_place_is_pointed_at_on_the_map(tablet: Tablet) -> None:
    """Whoever registers something points at it."""
    tablet.go("#/jobs")
    tablet.page.evaluate(
        """async () => {
          const { pickOnMap } = await import("/static/js/tablet/map_page.js");
          const place = document.createElement("div");
          place.style.cssText = "position: relative; height: 400px";
          document.querySelector("main").replaceChildren(place);
          window.spots = [];
          window.leave = await pickOnMap(place, {
            start: { lon: 117.28, lat: 31.86 }, onPick: (spot) => window.spots.push(spot) });
        }"""
    )
    rest(tablet)
    box = tablet.page.locator(".map-frame").bounding_box()
    assert box is not None
    tablet.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    spots = tablet.page.evaluate("() => window.spots")
    assert len(spots) == 1
    assert abs(spots[0]["lon"] - 117.28) < 1e-4
    assert abs(spots[0]["lat"] - 31.86) < 1e-4
    tablet.page.evaluate("() => window.leave()")
    assert tablet.page.locator(".map-frame").count() == 0


@pytest.mark.parametrize(
    ("valve", "image"),
    [
        ({"role": "close", "state": "to_close", "number": 3}, "close:3"),
        ({"role": "close", "state": "closed_tight", "number": 3}, "closed:3"),
        ({"role": "close", "state": "passing", "number": 3}, "passing:3"),
        ({"role": "close", "state": "will_not_close", "number": 3}, "stuck"),
        ({"role": "close", "state": "not_found", "number": 3}, "stuck"),
        ({"role": "verify_shut", "state": "to_close", "number": None}, "verify"),
        ({"role": "optional", "state": "to_close", "number": None}, "optional"),
        ({"role": "pump", "state": "to_close", "number": 1}, "stop"),
    ],
)
def test_a_mark_says_by_its_shape_what_a_valve_is(
    tablet: Tablet, valve: dict[str, Any], image: str
) -> None:
    """A number in the order of closing, and another shape for each state: never a colour alone."""
    assert tablet.ask("map_marks", "m.imageOf(told)", {"kind": "valve", **valve}) == image
