"""Which files the page is made of, each with its hash, and what it says in two languages."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from posixpath import normpath
from typing import TYPE_CHECKING

from babel import Locale
from babel.messages.mofile import read_mo
from PIL import Image, ImageDraw

from fieldops.language import LANGUAGES, TRANSLATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STATIC = Path(__file__).parent.parent / "static"
ROOTS = ("js/tablet/*.js", "css/tokens.css", "css/tablet*.css", "css/icon.svg")
STYLES = ("css/tokens.css", "vendor/maplibre-gl.css", "css/tablet.css")
WORKER = "js/tablet/worker.js"
MAP_WORKER = "vendor/maplibre-gl-worker.mjs"
ICON_SIZES = (192, 512)
ADDRESS = "/static/"
SHELL = "/tablet"
IMPORTED = re.compile(
    r"""(?:\bfrom|\bimport|\bnew URL)\s*\(?\s*["'](\.{1,2}/[^"']+\.(?:m?js|css))["']"""
)
VERSION_LENGTH = 16

ICON_GROUND = "#005A8F"
ICON_DROP = "#FFFFFF"
ICON_SCALE = 4
"""Drawn larger and made smaller, for smooth edges."""


@dataclass(frozen=True, slots=True)
class Release:
    """Every file that the page needs with no signal, by its path, and the version they make."""

    version: str
    files: Mapping[str, str]


def hash_of(content: bytes) -> str:
    """Give the SHA-256 as the tablet writes it."""
    return hashlib.sha256(content).hexdigest()


@lru_cache(maxsize=512)
def _read(path: Path, _changed_ns: int, _size: int) -> tuple[str, tuple[str, ...]]:
    content = path.read_bytes()
    found: list[str] = []
    if path.suffix in {".js", ".mjs"}:
        found = IMPORTED.findall(content.decode())
    return hash_of(content), tuple(found)


def _look(path: Path) -> tuple[str, tuple[str, ...]]:
    state = path.stat()
    return _read(path, state.st_mtime_ns, state.st_size)


def list_files(static: Path = STATIC) -> dict[str, str]:
    """Give the hash of every script and style of the page, with all that they import."""
    waiting = [
        path.relative_to(static).as_posix()
        for pattern in ROOTS
        for path in sorted(static.glob(pattern))
    ]
    waiting += STYLES
    found: dict[str, str] = {}
    while waiting:
        name = waiting.pop()
        if name in found or name == WORKER or not (static / name).is_file():
            continue
        found[name], imports = _look(static / name)
        folder = name.rpartition("/")[0]
        waiting += [normpath(f"{folder}/{each}") for each in imports]
    return {ADDRESS + name: found[name] for name in sorted(found)}


def list_styles(static: Path = STATIC) -> list[str]:
    """Name the page's styles in their order: tokens, the map's, the page's, its features'."""
    features = sorted(
        path.relative_to(static).as_posix() for path in static.glob("css/tablet-*.css")
    )
    return [*STYLES, *features]


def make_version(pages: Mapping[str, bytes], static: Path = STATIC) -> str:
    """Name the release that these pages and the files beside them are: any change changes it."""
    parts = sorted(
        {**list_files(static), **_hashes(pages), WORKER: _look(static / WORKER)[0]}.items()
    )
    return hash_of(json.dumps(parts).encode())[:VERSION_LENGTH]


def make_release(version: str, pages: Mapping[str, bytes], static: Path = STATIC) -> Release:
    """Put together what a tablet has to keep."""
    return Release(version, {**_hashes(pages), **list_files(static)})


def _hashes(pages: Mapping[str, bytes]) -> dict[str, str]:
    return {path: hash_of(content) for path, content in pages.items()}


def write_worker(release: Release, static: Path = STATIC) -> str:
    """Give the worker's script with the release that it keeps in front."""
    told = json.dumps({"version": release.version, "files": dict(release.files)}, indent=1)
    return f"self.release = {told};\n{(static / WORKER).read_text()}"


@cache
def read_map_worker(static: Path = STATIC) -> bytes:
    """Read the map library's own worker; empty where the library was not fetched."""
    path = static / MAP_WORKER
    return path.read_bytes() if path.is_file() else b""


def write_words(language: str) -> bytes:
    """Give the whole catalogue of a language: the English text is the key, and English itself."""
    path = TRANSLATIONS / str(Locale.parse(language)) / "LC_MESSAGES/messages.mo"
    if not path.exists():
        return b"{}"
    return _write_words(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=len(LANGUAGES) * 2)
def _write_words(path: Path, _changed_ns: int) -> bytes:
    return json.dumps(dict(_entries(path)), ensure_ascii=False, sort_keys=True).encode()


def _entries(path: Path) -> Iterator[tuple[str, str]]:
    with path.open("rb") as stream:
        for entry in read_mo(stream):
            if isinstance(entry.id, str) and isinstance(entry.string, str) and entry.id:
                yield entry.id, entry.string


@cache
def draw_icon(size: int) -> bytes:
    """Draw a drop on the house's blue, with room around it for a mask of any shape."""
    large = size * ICON_SCALE
    picture = Image.new("RGB", (large, large), ICON_GROUND)
    pen = ImageDraw.Draw(picture)
    middle, radius, height = large / 2, large * 0.19, large * 0.58
    centre = large * 0.58
    top = centre + radius - height
    pen.ellipse((middle - radius, centre - radius, middle + radius, centre + radius), ICON_DROP)
    # The sides touch the circle, so that the drop has no corner where they meet it.
    sine = radius / (centre - top)
    cosine = (1 - sine**2) ** 0.5
    reach, level = radius * cosine, centre - radius * sine
    pen.polygon([(middle, top), (middle + reach, level), (middle - reach, level)], ICON_DROP)
    stream = BytesIO()
    picture.resize((size, size), Image.Resampling.LANCZOS).save(stream, "PNG", optimize=True)
    return stream.getvalue()
