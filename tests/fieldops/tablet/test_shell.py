"""The tablet's page as the server gives it: whole, for everybody, and named by its content."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from fieldops.access import Role
from fieldops.tablet.service import hash_of, list_files, make_version
from tests.people import sign_in

if TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session


def read(client: FlaskClient, path: str) -> bytes:
    """Read an answer and let go of the file behind it."""
    with client.get(path) as answer:
        assert answer.status_code == 200, path
        return bytes(answer.data)


def release_of(client: FlaskClient) -> dict[str, str]:
    """Read which files the worker keeps, and their hashes."""
    script = client.get("/tablet/sw.js").get_data(as_text=True)
    found = re.match(r"self\.release = (\{.*?\n\});", script, re.DOTALL)
    assert found
    files: dict[str, str] = json.loads(found.group(1))["files"]
    return files


def test_every_file_that_the_worker_keeps_is_the_one_that_is_served(client: FlaskClient) -> None:
    """A single hash that does not fit would stop a tablet from being installed at all."""
    files = release_of(client)

    assert {path: hash_of(read(client, path)) for path in files} == files
    assert len(files) > 20


def test_everything_that_a_page_of_the_tablet_imports_is_kept(client: FlaskClient) -> None:
    """A module left out would be found missing in the street, with no signal."""
    files = release_of(client)

    for path in [path for path in files if path.startswith("/static/js/")]:
        script = read(client, path).decode()
        code = re.sub(r"/\*.*?\*/", "", script, flags=re.DOTALL)
        for wanted in re.findall(r'(?:from|import) ?\(?"(\.[^"]+)"', code):
            folder = path.rpartition("/")[0].split("/")
            for step in wanted.split("/"):
                folder = folder[:-1] if step == ".." else folder if step == "." else [*folder, step]
            assert "/".join(folder) in files, f"{path} imports {wanted}"


def test_all_that_the_page_links_to_is_kept(client: FlaskClient) -> None:
    """Styles, scripts and pictures of the shell itself."""
    page = client.get("/tablet").get_data(as_text=True)
    linked = re.findall(r'(?:href|src)="([^"#]+)"', page)

    assert set(linked) <= set(release_of(client))
    assert len(linked) > 5


def test_the_page_is_the_same_for_everybody(client: FlaskClient, session: Session) -> None:
    """A page with somebody's name or language in it would never fit its hash."""
    before = client.get("/tablet", headers={"Accept-Language": "en"}).data
    sign_in(client, session, Role.CREW)
    after = client.get("/tablet?lang=zh_CN")

    assert after.data == before
    assert "Set-Cookie" not in client.get("/tablet").headers


def test_any_change_of_any_file_makes_another_version(tmp_path: Path) -> None:
    """The worker asks again only where the version differs."""
    for name in ("js/tablet", "js/map", "css"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "js/tablet/worker.js").write_text("// works")
    (tmp_path / "js/tablet/page.js").write_text('import { a } from "../map/a.js";')
    (tmp_path / "js/map/a.js").write_text("export const a = 1;")
    (tmp_path / "js/map/b.js").write_text("export const b = 1;")
    pages = {"/tablet": b"shell"}
    first = make_version(pages, tmp_path)
    (tmp_path / "js/map/b.js").write_text("export const b = 22;")
    unused = make_version(pages, tmp_path)
    (tmp_path / "js/map/a.js").write_text("export const a = 22;")
    imported = make_version(pages, tmp_path)
    (tmp_path / "js/tablet/worker.js").write_text("// works better")
    worker = make_version(pages, tmp_path)

    assert unused == first
    assert len({first, imported, worker, make_version({"/tablet": b"x"}, tmp_path)}) == 4
    assert set(list_files(tmp_path)) == {"/static/js/tablet/page.js", "/static/js/map/a.js"}


def test_the_worker_may_watch_over_the_page_itself(client: FlaskClient) -> None:
    """A script below /tablet/ would without this header not be given /tablet."""
    answer = client.get("/tablet/sw.js")

    assert answer.headers["Service-Worker-Allowed"] == "/tablet"
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Cache-Control"] == "no-cache"


def test_a_tablet_hears_which_version_there_is(client: FlaskClient) -> None:
    """The page, the worker and the short answer name the same one."""
    version = client.get("/tablet/version.json").json["version"]  # type: ignore[index]

    assert f'name="release" content="{version}"' in client.get("/tablet").get_data(as_text=True)
    assert f'"version": "{version}"' in client.get("/tablet/sw.js").get_data(as_text=True)


@pytest.mark.parametrize(("language", "said"), [("zh_CN", "无未发送"), ("en", None)])
def test_the_words_of_both_languages_can_be_kept(
    client: FlaskClient, language: str, said: str | None
) -> None:
    """In English every message is its own text."""
    words = client.get(f"/tablet/words/{language}.json").json

    assert words is not None
    assert words.get("Nothing unsent") == said


def test_no_other_language_is_made_up(client: FlaskClient) -> None:
    """A name in the address is never a path on the disk."""
    assert client.get("/tablet/words/xx.json").status_code == 404
    assert client.get("/tablet/icon-99999.png").status_code == 404


def test_a_browser_is_told_how_to_install_the_page(client: FlaskClient) -> None:
    """Chromium wants a name, an address within the scope, a way to show it, and icons that fit."""
    manifest = client.get("/tablet/manifest.webmanifest").get_json(force=True)

    assert (manifest["start_url"], manifest["scope"], manifest["display"]) == (
        "/tablet",
        "/tablet",
        "standalone",
    )
    for icon in manifest["icons"]:
        picture = Image.open(io.BytesIO(client.get(icon["src"]).data))
        assert f"{picture.width}x{picture.height}" == icon["sizes"]
    assert {icon["sizes"] for icon in manifest["icons"]} >= {"192x192", "512x512"}


def test_a_crew_finds_the_page_in_its_menu(client: FlaskClient, session: Session) -> None:
    """Nobody has to remember an address."""
    sign_in(client, session, Role.CREW)

    assert b'href="/tablet/open"' in client.get("/me").data
    assert client.get("/tablet/open").location.endswith("/tablet")
