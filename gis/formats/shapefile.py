"""What shapefiles leave to their readers: which encoding they are in, and zips of them."""

from __future__ import annotations

import codecs
import stat
import tempfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

from gis.formats.building import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from zipfile import ZipInfo

LARGEST_UNPACKED = 1_000_000_000
"""A zip that holds more bytes than this is refused."""

_MOST_FILES = 1_000
_MOST_RATIO = 200
_SMALL = 50_000_000
"""Below this a zip may pack as tightly as it likes: empty tables do."""
_PARTS = frozenset({".shp", ".shx", ".dbf", ".prj", ".cpg"})
_CHUNK = 1 << 20
_CODE_PAGES = {"936": "gbk", "54936": "gb18030", "65001": "utf-8", "1252": "cp1252"}


@dataclass(frozen=True, slots=True)
class Decoder:
    """How to ask for a file's texts, and how to turn what comes into the texts meant."""

    options: dict[str, Any]
    decode: Callable[[str], str]


def decoder_of(path: Path) -> Decoder:
    """
    Choose how to read the texts of a table.

    A shapefile's are in what its .cpg names, else strict UTF-8, else strict
    GB18030: tried on every text of the file, before anything is made of it.

    Raises
    ------
    FormatError
        If the texts are in none of these.
    """
    if path.suffix.lower() != ".shp":
        return Decoder({}, str)
    stamp = path.with_suffix(".dbf").stat().st_mtime_ns if path.with_suffix(".dbf").exists() else 0
    name = _encoding(path, stamp)

    def decode(text: str) -> str:
        # A text cut at the field's width may end in half a character; that half goes.
        return codecs.getincrementaldecoder(name)("strict").decode(text.encode("latin-1"))

    return Decoder({"encoding": "ISO-8859-1"}, decode)


@lru_cache(maxsize=64)
def _encoding(path: Path, stamp: int) -> str:
    del stamp  # a file that changed is looked at again
    texts = _texts(path)
    named = _named_encoding(path)
    for name in [named] if named else ["utf-8", "gb18030"]:
        try:
            for text, is_full in texts:
                codecs.getincrementaldecoder(name)("strict").decode(text, final=not is_full)
        except (UnicodeError, ValueError):
            continue
        return name
    raise refuse("text-encoding", file=path.with_suffix(".dbf").name)


def _named_encoding(path: Path) -> str | None:
    for ending in (".cpg", ".CPG"):
        note = path.with_suffix(ending)
        if note.exists():
            word = note.read_bytes()[:100].decode("ascii", "replace").strip().lower()
            word = word.removeprefix("ansi").removeprefix("cp").strip() or "utf-8"
            try:
                return codecs.lookup(_CODE_PAGES.get(word, word)).name
            except LookupError:
                raise refuse("encoding-unknown", file=note.name, value=word[:40]) from None
    return None


def _texts(path: Path) -> list[tuple[bytes, bool]]:
    """
    Take every text out of a .dbf file: field names and the cells of text columns.

    Each with whether it fills its field, so that its end may have been cut off.
    """
    table = next(
        (file for file in (path.with_suffix(".dbf"), path.with_suffix(".DBF")) if file.exists()),
        None,
    )
    if table is None:
        raise refuse("shapefile-part-missing", file=path.with_suffix(".dbf").name)
    data = table.read_bytes()
    if len(data) < 32:
        raise refuse("file-unreadable", file=table.name, reason="too short")
    rows = int.from_bytes(data[4:8], "little")
    begin = int.from_bytes(data[8:10], "little")
    width = int.from_bytes(data[10:12], "little")
    names: set[tuple[bytes, bool]] = set()
    columns: list[tuple[int, int]] = []
    at, offset = 32, 1
    while at + 32 <= min(begin, len(data)) and data[at] != 0x0D:
        name = data[at : at + 11].split(b"\0", 1)[0]
        names.add((name, len(name) >= 10))
        size = data[at + 16]
        if data[at + 11 : at + 12] == b"C":
            columns.append((offset, size))
        offset += size
        at += 32
    rows = min(rows, (len(data) - begin) // width if width else 0)
    cells = {
        (text, len(text) == size)
        for row in range(rows)
        for place, size in columns
        for text in [
            data[begin + row * width + place : begin + row * width + place + size].rstrip(b" \0")
        ]
    }
    return sorted(names | cells)


@contextmanager
def unpacked(path: Path) -> Iterator[list[Path]]:
    """
    Unpack the shapefiles of a zip into a folder that is gone afterwards.

    Bytes are counted as they come out, whatever the zip says about itself.

    Raises
    ------
    FormatError
        If the zip is broken, locked, holds another zip or names outside of itself, or unpacks to
        more than `LARGEST_UNPACKED` bytes.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            with ZipFile(path) as archive:
                files = _unpack(archive, Path(folder), path)
        except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError):
            raise refuse("zip-broken", file=path.name) from None
        if not files:
            raise refuse("zip-no-shapefile", file=path.name)
        yield files


def _unpack(archive: ZipFile, folder: Path, path: Path) -> list[Path]:
    members = archive.infolist()
    packed = max(path.stat().st_size, 1)
    if len(members) > _MOST_FILES:
        raise refuse("zip-too-many", file=path.name, count=len(members), limit=_MOST_FILES)
    _check_size(sum(member.file_size for member in members), packed, path)
    total = 0
    for member in members:
        name = _safe_name(member, path)
        if PurePosixPath(name).suffix.lower() not in _PARTS:
            continue
        target = folder / name
        target = target.with_suffix(target.suffix.lower())
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as inside, target.open("wb") as outside:
            while piece := inside.read(_CHUNK):
                total += len(piece)
                _check_size(total, packed, path)
                outside.write(piece)
    return sorted(folder.rglob("*.shp"))


def _check_size(size: int, packed: int, path: Path) -> None:
    if size > LARGEST_UNPACKED or (size > _SMALL and size > _MOST_RATIO * packed):
        raise refuse(
            "zip-too-large",
            file=path.name,
            size=size // 1_000_000,
            limit=LARGEST_UNPACKED // 1_000_000,
        )


def _safe_name(member: ZipInfo, path: Path) -> str:
    name = member.filename.replace("\\", "/")
    parts = PurePosixPath(name).parts
    is_link = stat.S_ISLNK(member.external_attr >> 16)
    if is_link or name.startswith("/") or ".." in parts or ":" in name or "\0" in name:
        raise refuse("zip-name-wrong", file=path.name, value=name[:100])
    if PurePosixPath(name).suffix.lower() in {".zip", ".gz", ".7z", ".rar", ".tar"}:
        raise refuse("zip-nested", file=path.name, value=name[:100])
    return name
