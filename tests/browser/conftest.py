"""One live server and one Chromium for every browser test; pages are made anew."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from fieldops import create_app
from fieldops.access import Role
from fieldops.maps.service import bake, tiles_folder
from fieldops.network_files.service import import_features
from fieldops.settings import CHECKOUT, Settings
from gis.formats.geojson import parse_geojson
from tests import databases
from tests.people import sign_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask
    from playwright.sync_api import Browser, Page, Request
    from sqlalchemy.orm import Session, sessionmaker

    from tests.browser.tablet import Shift

CHROMIUM = os.environ.get("FIELDOPS_CHROMIUM") or shutil.which("chromium") or ""
FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
NASTY_PIPE = '<img src=x onerror="document.title=`hurt`">/甲'
"""Stands in the town in place of P022."""
PATIENCE_MS = 15_000
TILE_PX = 512


class Quiet(WSGIRequestHandler):
    """A server that does not write every request to the test's output."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - its signature
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class Site:
    """The application as a browser reaches it."""

    url: str
    app: Flask

    @property
    def sessions(self) -> sessionmaker[Session]:
        """Give the sessions of the application itself."""
        found: sessionmaker[Session] = self.app.extensions["fieldops.sessions"]
        return found

    def cookies_of(self, *roles: Role) -> list[dict[str, object]]:
        """Sign a new person in and give the cookies that say so."""
        client = self.app.test_client()
        with self.sessions() as session:
            sign_in(client, session, *roles)
        name = self.app.config["SESSION_COOKIE_NAME"]
        cookie = client.get_cookie(name)
        assert cookie is not None
        return [{"name": name, "value": cookie.value, "url": self.url}]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve the sample town, with one nasty name in it, from a database of its own."""
    text = (CHECKOUT / "sample_network.geojson").read_text()
    nasty = json.dumps(NASTY_PIPE, ensure_ascii=False)
    with serve_town(text.replace('"P022"', nasty), tmp_path_factory.mktemp("home")) as served:
        yield served


@contextmanager
def serve_town(geojson: str, home: Path) -> Iterator[Site]:
    """Serve a town from a database of its own."""
    with databases.clone() as url:
        settings = Settings(home=home, database_url=url, secret_key="test")  # noqa: S106
        app = create_app(settings)
        found = Site("", app)
        now = dt.datetime.now(dt.UTC)
        with found.sessions.begin() as session:
            import_features(session, parse_geojson(geojson.encode()), by="test", now=now)
        with found.sessions.begin() as session:
            bake(session, tiles_folder(settings))
        server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Site(f"http://127.0.0.1:{server.server_port}", app)
        server.shutdown()
        thread.join()
        server.server_close()
        found.sessions.kw["bind"].dispose()


@pytest.fixture(scope="session")
def shift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    """Serve a town with a burst and a crew that is sent to it, for the tests of the tablet."""
    from tests.browser.tablet import serve_shift

    with serve_shift(tmp_path_factory.mktemp("shift")) as served:
        yield served


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the one Chromium."""
    if not CHROMIUM:
        pytest.fail("there is no Chromium: ./run test installs it, or set FIELDOPS_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@dataclass(slots=True)
class MapPage:
    """The map page in a browser."""

    page: Page
    pictures: Path | None

    def rest(self) -> None:
        """Wait until the map has come to rest."""
        self.page.wait_for_selector("#map[data-map-state=idle]", timeout=PATIENCE_MS)

    def wait_for_answer(self) -> None:
        """Wait until the drawer has an answer."""
        self.page.wait_for_selector("#drawer[data-answer-state=shown]", timeout=PATIENCE_MS)

    def pixel_of(self, lon: float, lat: float) -> tuple[float, float]:
        """Tell where on the screen a place is, by the view that the resting map tells."""
        self.rest()
        view = self.page.locator("#map").get_attribute("data-view") or ""
        middle_lon, middle_lat, zoom = map(float, view.split(","))
        box = self.page.locator("#map").bounding_box()
        assert box is not None
        world = TILE_PX * 2**zoom
        x, y = _mercator(lon, lat)
        middle_x, middle_y = _mercator(middle_lon, middle_lat)
        return (
            box["x"] + box["width"] / 2 + (x - middle_x) * world,
            box["y"] + box["height"] / 2 + (y - middle_y) * world,
        )

    def click(self, lon: float, lat: float) -> None:
        """Click a place on the map with the mouse."""
        self.page.mouse.click(*self.pixel_of(lon, lat))

    def text(self, selector: str) -> str:
        """Read what stands somewhere."""
        return self.page.locator(selector).first.inner_text()

    def picture(self, name: str, *, is_resting: bool = True) -> None:
        """Keep what can be seen, where FIELDOPS_PICTURES names a folder for people to look at."""
        if self.pictures is None:
            return
        if is_resting:
            self.rest()
        self.page.screenshot(path=self.pictures / f"{name}.png")


def _mercator(lon: float, lat: float) -> tuple[float, float]:
    north = math.asinh(math.tan(math.radians(lat))) / math.pi
    return (lon + 180) / 360, (1 - north) / 2


@pytest.fixture
def open_map(site: Site, browser: Browser) -> Iterator[Callable[..., MapPage]]:
    """Open the map as somebody; at the end no page may have asked elsewhere, or failed."""
    contexts = []
    foreign: list[str] = []
    faults: list[str] = []
    kept = os.environ.get("FIELDOPS_PICTURES")
    pictures = Path(kept) if kept else None
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)

    def note(request: Request) -> None:
        is_remote = urlsplit(request.url).scheme in {"http", "https", "ws", "wss"}
        if is_remote and not request.url.startswith(f"{site.url}/"):
            foreign.append(request.url)

    def open_it(
        path: str = "/",
        *,
        language: str = "en",
        role: Role = Role.DISPATCHER,
        size: tuple[int, int] = (1280, 800),
    ) -> MapPage:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            timezone_id="Asia/Shanghai",
            locale=language.replace("_", "-"),
            reduced_motion="reduce",
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.add_cookies(site.cookies_of(role))  # type: ignore[arg-type]
        context.on("request", note)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.goto(site.url + path)
        return MapPage(page, pictures)

    open_it.faults = faults  # type: ignore[attr-defined]
    yield open_it
    for context in contexts:
        context.close()
    assert foreign == []
    assert faults == []
