"""A file is sent, looked at on the map, and confirmed, by somebody with a browser."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fieldops import jobs
from fieldops.access import Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.browser.conftest import MapPage, Site

    OpenMap = Callable[..., MapPage]

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STREET = [(117.3692, 31.1202), (117.3698, 31.1202), (117.3698, 31.1206)]
"""In an empty corner of the town, so that no other test clicks on it."""


def write_street(path: Path, *diameters: object) -> Path:
    """Draw a pipe from each corner of the street to the next."""
    pipes = [
        {
            "type": "Feature",
            "geometry": {"type": "LineString", "coordinates": [start, end]},
            "properties": {"kind": "pipe", "id": f"新-{number}", "diameter_mm": diameter},
        }
        for number, (start, end, diameter) in enumerate(
            zip(STREET, STREET[1:], diameters, strict=False), start=1
        )
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": pipes}))
    return path


def send(page: MapPage, site: Site, file: Path) -> int:
    """Choose a file, send it, and have it checked as the worker does."""
    page.page.set_input_files("input[type=file]", file)
    page.page.click("main form button.primary")
    page.page.wait_for_selector("article[data-status=waiting]")
    key = int(page.page.url.rsplit("/", 1)[1])
    work(site, "network_files.check", key)
    page.page.reload()
    return key


def work(site: Site, task: str, key: int) -> None:
    """Do what the worker would."""
    with jobs.working_on(site.sessions):
        jobs.known_tasks()[task].func(key=key)


def test_an_error_is_shown_at_its_feature(open_map: OpenMap, site: Site, tmp_path: Path) -> None:
    """The list names it, the map goes there, and a click on the map finds it again."""
    page = open_map("/network/imports/", role=Role.PLANNER)
    send(page, site, write_street(tmp_path / "faulty.geojson", 100, "big"))
    page.page.wait_for_selector("article[data-status=refused]")
    page.rest()
    assert page.page.locator("form button.primary").count() == 0

    page.page.click("#findings li button")
    page.rest()
    assert '"diameter_mm" of pipe 新-2' in page.text("#chosen")
    lon, lat, zoom = map(float, (page.page.get_attribute("#map", "data-view") or "").split(","))
    assert (lon, lat) == pytest.approx((117.3698, 31.1204), abs=1e-5)
    assert zoom > 17
    page.picture("import-error")

    page.click(117.3694, 31.1201)
    page.page.wait_for_selector("#chosen", state="hidden")
    page.click(117.3698, 31.1204)
    page.page.wait_for_selector("#findings button[aria-current=true]")


def test_a_good_file_is_seen_confirmed_and_then_on_the_map(
    open_map: OpenMap, site: Site, tmp_path: Path
) -> None:
    """Nothing is stored before the button was pressed."""
    page = open_map("/network/imports/", role=Role.PLANNER, language="zh_CN")
    key = send(page, site, write_street(tmp_path / "street.geojson", 100, 150))
    page.page.wait_for_selector("article[data-status=checked]")
    page.rest()
    page.page.wait_for_selector("#findings li button", state="attached")
    page.picture("import-preview")
    assert page.page.locator("input[name=severity]").count() == 2
    assert page.page.request.get(f"{site.url}/api/v1/pipes/新-1/outage").status == 404

    page.page.click("main form button.primary")
    page.page.wait_for_selector("article[data-status=landing]")
    work(site, "network_files.land", key)
    page.page.reload()
    page.page.wait_for_selector("article[data-status=landed]")
    page.page.goto(f"{site.url}/?pipe=新-1")
    page.wait_for_answer()
    assert page.text("#drawer-title") == "管段 新-1"
    page.picture("import-landed")
