"""What lies below the network: nothing, a file of our own, or Tianditu through this server."""

from __future__ import annotations

import http.client
from dataclasses import replace
from email.message import Message
from typing import TYPE_CHECKING

import pytest

from fieldops.access import Role
from fieldops.basemaps import service
from fieldops.basemaps.service import (
    BasemapError,
    fetch_tianditu_tile,
    list_basemaps,
    read_basemap_tile,
)
from fieldops.errors import NotFoundError
from fieldops.maps.service import bake
from tests.fieldops.maps.test_tiles import tile_at, town
from tests.people import bearer

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session

    from fieldops.settings import Settings

__all__ = ["town"]


class Stranger:
    """Stands in for the connection to Tianditu, and remembers what it was asked."""

    asked: list[tuple[str, str]]
    status = 200
    content_type = "image/png"
    body = b"a picture"

    def __init__(self, host: str, timeout: float) -> None:
        assert timeout <= 10
        self.host = host
        self.headers = Message()
        self.headers["Content-Type"] = self.content_type

    def request(self, method: str, path: str) -> None:
        """Note the question."""
        assert method == "GET"
        type(self).asked.append((self.host, path))

    def getresponse(self) -> Stranger:
        """Answer."""
        return self

    def read(self, most: int) -> bytes:
        """Give the answer's body."""
        return self.body[:most]

    def close(self) -> None:
        """Hang up."""


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> type[Stranger]:
    """Answer in Tianditu's place."""

    class Today(Stranger):
        asked: list[tuple[str, str]] = []  # noqa: RUF012 - of this test alone

    monkeypatch.setattr(http.client, "HTTPSConnection", Today)
    monkeypatch.setattr(service, "_kept", service._Kept())
    return Today


@pytest.fixture
def switched_on(settings: Settings) -> Settings:
    """Give settings with a key."""
    return replace(settings, tianditu_key="secret-key")


def test_by_default_nothing_lies_below_and_nothing_is_fetched(
    settings: Settings, stranger: type[Stranger], app: Flask
) -> None:
    """Off means off."""
    with app.test_request_context():
        assert list_basemaps(settings) == []
    with pytest.raises(NotFoundError):
        fetch_tianditu_tile(settings, "vec", 10, 1, 1)
    assert stranger.asked == []


def test_tianditu_is_asked_by_the_server_alone_and_once(
    switched_on: Settings, stranger: type[Stranger], app: Flask
) -> None:
    """The browser learns neither the key nor the host."""
    with app.test_request_context():
        described = list_basemaps(switched_on)
    assert all(url.startswith("/basemap/") for one in described for url in one["tiles"])
    assert "secret-key" not in str(described)

    first = fetch_tianditu_tile(switched_on, "vec", 10, 800, 400)
    again = fetch_tianditu_tile(switched_on, "vec", 10, 800, 400)
    assert first == again
    assert first.body == b"a picture"
    [(host, path)] = stranger.asked
    assert host == "t0.tianditu.gov.cn"
    assert path.startswith("/vec_w/wmts?")
    assert "TILEMATRIX=10&TILEROW=400&TILECOL=800" in path


@pytest.mark.parametrize(
    ("layer", "z", "x", "y"),
    [
        ("../etc", 10, 1, 1),
        ("img@evil.example", 10, 1, 1),
        ("vec", 0, 0, 0),
        ("vec", 19, 0, 0),
        ("vec", 3, 8, 0),
        ("vec", 3, 0, -1),
    ],
)
def test_only_known_layers_and_tiles_are_fetched(
    switched_on: Settings, stranger: type[Stranger], layer: str, z: int, x: int, y: int
) -> None:
    """Nothing of the address comes from outside but checked numbers."""
    with pytest.raises(NotFoundError):
        fetch_tianditu_tile(switched_on, layer, z, x, y)
    assert stranger.asked == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("status", 302), ("status", 403), ("content_type", "text/html"), ("body", b"x" * (1 << 21))],
)
def test_whatever_is_no_picture_is_not_passed_on(
    switched_on: Settings, stranger: type[Stranger], name: str, value: object
) -> None:
    """A redirect, an error page or a flood ends here."""
    setattr(stranger, name, value)
    with pytest.raises(BasemapError):
        fetch_tianditu_tile(switched_on, "cva", 10, 1, 1)


def test_a_host_that_does_not_answer_is_told_as_that(
    switched_on: Settings, stranger: type[Stranger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time limit, and every place in the queue given back."""

    def hang(*_question: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(stranger, "request", hang)
    for x in range(2 * service.MOST_AT_ONCE):
        with pytest.raises(BasemapError):
            fetch_tianditu_tile(switched_on, "vec", 10, x, 1)


def test_a_file_of_tiles_is_read_here(
    town: Session, settings: Settings, tmp_path: Path, app: Flask
) -> None:
    """Any PMTiles file will do; here one of our own making."""
    baked = bake(town, tmp_path / "made")
    assert baked is not None
    with_file = replace(settings, basemap=baked)
    with app.test_request_context():
        [described] = list_basemaps(with_file)

    assert described["kind"] == "vector"
    assert set(described["layers"]) == {"pipes", "sources"}
    tile = read_basemap_tile(with_file, *tile_at(12))
    assert tile.is_gzip
    assert tile.body
    assert read_basemap_tile(with_file, 12, 0, 0).body == b""


def test_a_file_that_is_not_set_has_no_tiles(client: FlaskClient, session: Session) -> None:
    """Neither over HTTP."""
    headers = bearer(session, Role.CREW)
    assert client.get("/basemap/file/1/0/0", headers=headers).status_code == 404
    assert client.get("/basemap/tianditu/vec/1/0/0", headers=headers).status_code == 404
