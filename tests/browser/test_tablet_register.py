"""What a crew comes across with no signal: registered, proposed, sent later, and approved."""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from playwright.sync_api import expect
from sqlalchemy import text

from fieldops.access import Role
from fieldops.accounts.queries import insert_person
from fieldops.accounts.service import set_password
from fieldops.crews.service import list_crews
from fieldops.map_proposals.service import list_proposals
from fieldops.network.service import describe_valve
from fieldops.packs.queries import WHOLE
from fieldops.packs.service import bake, packs_folder
from fieldops.photos.service import count_received
from fieldops.reports.service import list_latest
from fieldops.rosters import queries as rosters
from tests.browser.conftest import PATIENCE_MS, serve_town
from tests.browser.tablet import LANDSCAPE, LOGIN, PASSWORD, PORTRAIT, Tablet
from tests.fieldops.outages.towns import street

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Geolocation

    from tests.browser.conftest import Site

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]

MEASURE = Path(__file__).with_name("measure_page.js").read_text()
HERE: Geolocation = {"longitude": 117.0013, "latitude": 31.00001, "accuracy": 4}
GPX = """<?xml version="1.0"?><gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1">
<trk><name>早班巡检</name><trkseg>
<trkpt lat="31.0" lon="117.0"><time>2026-11-23T00:00:00Z</time></trkpt>
<trkpt lat="31.0" lon="117.002"><time>2026-11-23T00:05:00Z</time></trkpt></trkseg></trk></gpx>"""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve a street of three pipes with V1 and V2, and somebody of a crew."""
    drawn = json.dumps({"type": "FeatureCollection", "features": street().features})
    with serve_town(drawn, tmp_path_factory.mktemp("street")) as site:
        with site.sessions.begin() as session:
            person = insert_person(
                session, login=LOGIN, name="李强", roles=(Role.CREW,), password_hash=None
            )
            set_password(session, person, PASSWORD)
            crew = rosters.insert_crew(session, id="C-1", name="抢修一班")
            assert crew is not None
            rosters.insert_member(session, crew, name="李强", is_leader=True, person_id=person)
        with site.sessions.begin() as session:
            folder = packs_folder(site.app.extensions["fieldops.settings"])
            bake(session, folder, dt.datetime.now(dt.UTC), asked=WHOLE)
        yield site


@pytest.fixture
def context(browser: Browser, town: Site) -> Iterator[BrowserContext]:
    """Give a device that knows where it is."""
    width, height = LANDSCAPE
    context = browser.new_context(
        viewport={"width": width, "height": height},
        locale="en",
        timezone_id="Asia/Shanghai",
        geolocation=HERE,
        permissions=["geolocation"],
    )
    foreign: list[str] = []
    context.on(
        "request",
        lambda sent: (
            None if sent.url.startswith((town.url, "blob:", "data:")) else foreign.append(sent.url)
        ),
    )
    yield context
    context.close()
    assert foreign == []


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for what the server hears a moment later."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def measure(tablet: Tablet) -> None:
    """Hold what is on the page now to the sizes, the gaps and the contrast of the tablet."""
    tablet.settle()
    assert tablet.page.evaluate(MEASURE) == []


def a_photo() -> bytes:
    """Draw a picture."""
    written = BytesIO()
    Image.new("RGB", (300, 200), "#5577aa").save(written, "JPEG")
    return written.getvalue()


def test_what_was_seen_with_no_signal_is_sent_and_the_map_changed_once_approved(
    context: BrowserContext, browser: Browser, town: Site
) -> None:
    """A leak by a digger and a valve that is not where it is drawn; and where the crew is."""
    tablet = Tablet.open(context, town.url)
    tablet.sign_in()
    agree_to_be_seen(tablet, town)
    tablet.prepare()
    tablet.go("#/register")
    tablet.offline()
    register(tablet)
    propose(tablet)
    assert tablet.unsent() == 4
    with town.sessions() as session:
        assert (list_latest(session), list_proposals(session)[0]) == ([], [])

    tablet.online()
    tablet.send()
    wait_until(lambda: tablet.unsent() == 0)
    with town.sessions() as session:
        (report,) = list_latest(session)
        assert (report.kind, report.first_contact_by) == ("third_party_damage", "李强")
        assert (report.words, report.pipe) == ("挖机挖断 水很大", "P2")
        assert count_received(session, report.photo_sha256[0]) is None
        (waiting,), _ = list_proposals(session)
        assert (waiting.proposed_by, waiting.accuracy_m) == ("李强", 4)
        query = text("SELECT name, length_m FROM track WHERE is_complete")
        assert [round(row.length_m) for row in session.execute(query)] == [191]
    tablet.go("#/register")
    expect(tablet.page.locator(".registered li")).to_contain_text([report.id])

    approve(browser, town, waiting.id)
    with town.sessions() as session:
        valve = describe_valve(session, "V1")
        assert (valve["pipe"], round(valve["at_m"])) == ("P2", 30)
    statuses = "m.refreshDay().then(() => m.day().map_proposals.map(({status}) => status))"
    wait_until(lambda: bool(tablet.ask("day", statuses) == ["approved"]))
    tablet.go("#/propose")
    told = tablet.page.locator(f"[data-proposal={waiting.id}]")
    expect(told).to_have_attribute("data-status", "approved")
    tablet.picture("propose-approved")
    tablet.page.set_viewport_size({"width": PORTRAIT[0], "height": PORTRAIT[1]})
    tablet.picture("propose-portrait")
    assert tablet.faults == []


def agree_to_be_seen(tablet: Tablet, town: Site) -> None:
    """Nothing is told before the person said yes."""
    expect(tablet.page.locator("#positions-ask")).to_contain_text("once a minute")
    tablet.picture("positions-ask")
    measure(tablet)
    with town.sessions() as session:
        assert list_crews(session, dt.datetime.now(dt.UTC))[0].position_at is None
    tablet.page.get_by_role("button", name="Tell dispatch my position").click()

    def is_placed() -> bool:
        with town.sessions() as session:
            (crew,) = list_crews(session, dt.datetime.now(dt.UTC))
            return crew.lon == HERE["longitude"]

    wait_until(is_placed)
    expect(tablet.page.locator("#positions-ask")).to_have_count(0)


def register(tablet: Tablet) -> None:
    """Register damage with a photo, and a track; an empty form is kept back."""
    page = tablet.page
    page.click("main button.primary")
    expect(page.locator(".register-form p.wrong[role=alert]").first).to_be_visible()
    tablet.choose("kind", "third_party_damage")
    tablet.choose("danger", "yes")
    expect(page.locator(".register-form .call-now")).to_be_visible()
    page.get_by_role("button", name="Point on the map").click()
    page.wait_for_selector(".place-map [data-map-state=idle]", timeout=4 * PATIENCE_MS)
    canvas = page.locator(".place-map canvas")
    canvas.click(position={"x": 200, "y": 150})
    expect(page.locator(".place-said")).to_contain_text("pointed at on the map")
    page.wait_for_selector(".place-map [data-map-state=idle]", timeout=4 * PATIENCE_MS)
    tablet.picture("register-map")
    page.get_by_role("button", name="Point on the map").click()
    expect(canvas).to_have_count(0)
    page.get_by_role("button", name="Where I am").click()
    expect(page.locator(".place-said strong")).to_have_text("31.000010, 117.001300")
    page.fill("[name=words]", "挖机挖断 水很大")
    tablet.attach("photos", a_photo())
    tablet.picture("register-filled")
    measure(tablet)
    page.click("main button.primary")
    expect(page.locator(".registered li [data-where=here]")).to_have_count(1)
    page.locator(".gpx input[type=file]").set_input_files(
        {"name": "a.gpx", "mimeType": "application/gpx+xml", "buffer": GPX.encode()}
    )
    expect(page.locator(".gpx .notice.good")).to_contain_text("早班巡检")
    page.wait_for_selector(".gpx [data-map-state=idle]", timeout=4 * PATIENCE_MS)
    page.locator(".gpx .place-map").scroll_into_view_if_needed()
    tablet.picture("registered-here")


def propose(tablet: Tablet) -> None:
    """Say that V1 is not where it is drawn."""
    page = tablet.page
    tablet.go("#/propose?feature=V404&kind=wrong_fact")
    expect(page.locator(".as-drawn .warn")).to_be_visible()
    measure(tablet)
    tablet.go("#/propose?feature=V1&kind=moved")
    page.get_by_role("button", name="Where I am").click()
    expect(page.locator(".place-said strong")).to_be_visible()
    expect(page.locator(".as-drawn")).to_have_text("✓29 m from where it is drawn.")
    page.fill("[name=note]", "井盖在东侧")
    tablet.picture("propose-filled")
    page.click("main button.primary")
    expect(page.locator(".proposals li [data-where=here]")).to_have_count(1)


def approve(browser: Browser, town: Site, proposal: str) -> None:
    """Let a planner look at it, and approve."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en")
    context.add_cookies(town.cookies_of(Role.PLANNER))  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{town.url}/map-proposals")
    page.get_by_role("link", name=proposal).click()
    expect(page.locator("#distance")).to_have_text("28.7 m")
    expect(page.locator("svg .plan-said")).to_have_count(1)
    if kept := os.environ.get("FIELDOPS_PICTURES"):
        page.screenshot(path=f"{kept}/proposal.png", full_page=True)
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#decided")).to_contain_text(proposal)
    context.close()


def test_the_way_is_shown_by_other_maps_in_a_window_of_their_own(
    context: BrowserContext, town: Site
) -> None:
    """Shifted as theirs are; the page itself asks nothing of them, and says what it costs."""
    tablet = Tablet.open(context, town.url)
    tablet.ask("navigate", "(void m.showNavigation({lon: 121.5272106, lat: 31.1774276}, 'W-1'), 1)")
    sheet = tablet.page.locator("dialog")
    expect(sheet).to_contain_text("getting old")
    measure(tablet)
    tablet.picture("navigate")
    links = sheet.locator("a").evaluate_all("(all) => all.map((a) => [a.target, a.rel, a.href])")
    assert [link[:2] for link in links] == [["_blank", "noopener noreferrer"]] * 2 + [["", ""]]
    amap, baidu, device = (link[2] for link in links)
    assert amap.startswith("https://uri.amap.com/navigation?to=121.531542,31.175304,W-1&")
    assert baidu.startswith("https://api.map.baidu.com/marker?location=31.18")
    assert "coord_type=bd09ll" in baidu
    assert device.startswith("geo:31.177428,121.527211?")
