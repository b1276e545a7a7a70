"""
GeoJSON (RFC 7946), the form in which networks are exchanged.

A file is mapped, not loaded: its features are found in one pass over the
bytes, then decoded and checked one by one, so that a million pipes need no
more memory than the features made of them.
"""

from __future__ import annotations

import json
import mmap
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gis.features import FORMAT_NAMES, KINDS, PROPERTIES, Feature
from gis.formats.building import Builder, FormatError, refuse, show
from gis.formats.crs import transformer_from
from gis.memory import without_collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gis.features import FeatureSet

    Progress = Callable[[int, int], None]

_STEP = 10_000
_WGS84_NAMES = ("crs84", "4326", "wgs84", "wgs 84", "4490")
_UTF16 = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_NOTHING = object()
_BOM = b"\xef\xbb\xbf"


class _Collection(msgspec.Struct):
    """The outside of a file; its features stay bytes."""

    type: str
    features: list[msgspec.Raw]
    crs: Any = None


_COLLECTION = msgspec.json.Decoder(_Collection)
_ANYTHING = msgspec.json.Decoder()


def read_geojson(
    path: str | Path, crs: str | None = None, progress: Progress | None = None
) -> FeatureSet:
    """
    Read a network.

    Parameters
    ----------
    path
        The file.
    crs
        Coordinate system of the file where it is not WGS84, as "EPSG:n".
    progress
        Called now and then with the number of features read and of all.

    Returns
    -------
    FeatureSet
        Its features, checked one by one but not yet against each other.

    Raises
    ------
    FormatError
        With everything that is wrong in it.
    """
    with _mapped(Path(path)) as data, without_collector():
        return parse_geojson(data, crs=crs, progress=progress)


def parse_geojson(
    data: bytes | memoryview, crs: str | None = None, progress: Progress | None = None
) -> FeatureSet:
    """Read a network from the bytes of a file, as `read_geojson` does."""
    data = _as_utf8(data)
    collection = _scan(data)
    if crs is None:
        _refuse_other_crs(collection.crs)
    builder = Builder(transformer_from(crs))
    total = len(collection.features)
    for index, raw in enumerate(collection.features):
        _take(builder, bytes(raw), index)
        if progress is not None and index % _STEP == 0:
            progress(index, total)
    if progress is not None:
        progress(total, total)
    return builder.finish()


@contextmanager
def _mapped(path: Path) -> Iterator[memoryview]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise refuse("file-missing", file=path.name) from None
    except OSError as error:
        raise refuse("file-unreadable", file=path.name, reason=error.strerror) from None
    with file:
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise refuse("file-empty") from None
        except OSError as error:
            raise refuse("file-unreadable", file=path.name, reason=error.strerror) from None
        # Nobody closes the map while features still point into it.
        yield memoryview(mapped)


def _as_utf8(data: bytes | memoryview) -> bytes | memoryview:
    """Leave a byte-order mark out, and turn UTF-16 into UTF-8."""
    head = bytes(data[:4])
    if not head:
        raise refuse("file-empty")
    if head.startswith(_BOM):
        return data[3:]
    name = _UTF16.get(head[:2])
    if name is None and len(head) == 4 and head.count(b"\0") == 2:
        name = "utf-16-be" if head[0] == 0 else "utf-16-le"
    if name is None:
        return data
    try:
        return bytes(data).decode(name).encode()
    except UnicodeError:
        raise refuse("json-encoding", kind="", id="") from None


def _scan(data: bytes | memoryview) -> _Collection:
    try:
        collection = _COLLECTION.decode(data)
    except msgspec.ValidationError:
        raise refuse("not-a-feature-collection") from None
    except RecursionError:
        raise refuse("json-too-deep", near="?") from None
    except UnicodeDecodeError:
        raise refuse("json-encoding", kind="", id="") from None
    except msgspec.DecodeError as error:
        raise _locate(bytes(data), str(error)) from None
    if collection.type != "FeatureCollection":
        raise refuse("not-a-feature-collection")
    return collection


def _locate(data: bytes, reason: str) -> FormatError:
    """Say where in the file the JSON breaks, and near which feature."""
    match = re.search(r"\(byte (\d+)\)", reason)
    if match is None:
        end = data.rstrip()[-1:]
        half = re.search(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}", data) if end == b"}" else None
        if half is None:
            return refuse("json-truncated", near=_near(data, len(data)))
        place, reason = half.start(), "half a character"
    else:
        place = min(int(match[1]), len(data))
        reason = reason.removeprefix("JSON is malformed: ").split(" (byte")[0]
    near = _near(data, place)
    line = data.count(b"\n", 0, place) + 1
    column = place - data.rfind(b"\n", 0, place)
    word = data[max(place - 1, 0) : place + 8].lstrip(b"-:, ")
    if word.startswith((b"NaN", b"Inf")):
        return refuse("json-not-a-number", near=near, line=line, column=column)
    return refuse("json-broken", near=near, line=line, column=column, reason=reason)


def _near(data: bytes, place: int) -> str:
    """Name the last feature that begins before a place: its number and its id."""
    number = len(re.findall(rb'"type"\s*:\s*"Feature"', data[:place]))
    window = data[max(place - 1_000_000, 0) : place + 200]
    at = place - max(place - 1_000_000, 0)
    ids = [
        found
        for found in re.finditer(rb'"id"\s*:\s*("(?:[^"\\]|\\.){0,200}"|\d+)', window)
        if found.start() < at
    ]
    if not ids:
        return str(number)
    return f"{number} ({ids[-1][1].decode('utf-8', 'replace').strip(chr(34))})"


def _refuse_other_crs(crs: object) -> None:
    """Heed the `crs` member of old GeoJSON: anything but WGS84 must be asked for by name."""
    if crs is None:
        return
    name = crs.get("properties", {}) if isinstance(crs, dict) else {}
    text = str(name.get("name", crs) if isinstance(name, dict) else crs)
    if not any(known in text.lower() for known in _WGS84_NAMES):
        raise refuse("crs-named", crs=text[:80])


def _take(builder: Builder, raw: bytes, index: int) -> None:
    """Hand one feature to the builder, or say why it is none."""
    feature = _decode(builder, raw, index)
    if feature is _NOTHING:
        return
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        builder.fail("not-a-feature", index)
        return
    properties = feature.get("properties")
    if not isinstance(properties, dict):
        builder.fail("kind-missing", index, "", feature.get("id"))
        return
    geometry = feature.get("geometry")
    drawing: dict[str, Any] = geometry if isinstance(geometry, dict) else {}
    if raw.count(b'":') != len(feature) + len(properties) + len(drawing):
        twice = _key_twice(raw)
        if twice is not None:
            name = (properties.get("kind"), properties.get("id"))
            builder.fail("key-twice", index, *name, property=twice)
            return
    if b"\\u" in raw and _is_unkeepable(raw):
        builder.fail("text-wrong", index, properties.get("kind"), properties.get("id"))
        return
    shape = drawing.get("type")
    builder.add(
        properties.pop("kind", None),
        properties,
        shape if isinstance(shape, str) else None,
        drawing.get("coordinates"),
        index,
    )


def _decode(builder: Builder, raw: bytes, index: int) -> Any:  # noqa: ANN401  # whatever it holds
    """Decode one feature; nothing where that failed and was told."""
    try:
        return _ANYTHING.decode(raw)
    except UnicodeDecodeError:
        builder.fail("json-encoding", index, *_name_of(raw))
    except RecursionError:
        builder.fail("json-too-deep", index, near=str(index))
    except msgspec.ValidationError:  # the only one without a type to hold against: a huge number
        builder.fail(
            "property-out-of-range",
            index,
            *_name_of(raw),
            property="?",
            value="?",
            limit="< 1e308",
        )
    return _NOTHING


def _name_of(raw: bytes) -> tuple[str, str]:
    """Fish kind and id out of a feature that cannot be decoded."""
    text = raw.decode("utf-8", "replace")
    names = []
    for name in ("kind", "id"):
        found = re.findall(rf'"{name}"\s*:\s*"?((?:[^"\\,}}]|\\.){{0,200}})', text)
        names.append(found[-1] if found else "")
    return names[0], names[1]


def _key_twice(raw: bytes) -> str | None:
    """Name a key that stands twice in one object of this feature."""
    twice: list[str] = []

    def look(pairs: list[tuple[str, object]]) -> None:
        keys = [key for key, _ in pairs]
        if len(set(keys)) < len(keys):
            twice.extend(key for key in keys if keys.count(key) > 1)

    try:
        json.loads(raw, object_pairs_hook=look)
    except (ValueError, RecursionError):
        return None
    return show(twice[0])[1:-1] if twice else None


def _is_unkeepable(raw: bytes) -> bool:
    """Whether an escape stands for NUL, which PostgreSQL cannot keep in text."""
    return re.search(rb"(?<!\\)(?:\\\\)*\\u0000", raw) is not None


def write_geojson(path: str | Path, features: FeatureSet) -> None:
    """
    Write a network: same features, same bytes.

    What was guessed when the network was placed is left out, so that reading
    the file back guesses it again and says so.
    """
    with Path(path).open("wb") as file:
        file.writelines(geojson_chunks(features))


def geojson_chunks(features: FeatureSet) -> Iterator[bytes]:
    """Give the text of `write_geojson` piece by piece, one feature a line."""
    encoder = msgspec.json.Encoder()
    yield b'{"type":"FeatureCollection","features":['
    comma = b"\n"
    for kind in KINDS:
        rows: Iterable[Feature] = getattr(features, kind + "s")
        for feature in sorted(rows, key=lambda feature: feature.id):
            yield comma + encoder.encode(as_geojson(feature))
            comma = b",\n"
    yield b"\n]}\n"


def as_geojson(feature: Feature) -> dict[str, Any]:
    """Give one feature as the object that stands in a file."""
    shape = "Point" if len(feature.geometry) == 1 else "LineString"
    coordinates = feature.geometry[0] if shape == "Point" else feature.geometry
    return {
        "type": "Feature",
        "geometry": {"type": shape, "coordinates": coordinates},
        "properties": {"kind": feature.kind, "id": feature.id, **properties_to_write(feature)},
    }


_FLAG_OF = {
    "start_node": "is_start_guessed",
    "end_node": "is_end_guessed",
    "node": "is_node_guessed",
    "length_m": "is_length_measured",
    "position": "is_position_assumed",
}


def properties_to_write(feature: Feature) -> dict[str, Any]:
    """Give the properties by which reading the feature back gives the same feature."""
    given: dict[str, Any] = {}
    for name in PROPERTIES[feature.kind]:
        value = getattr(feature, name)
        if value is None or getattr(feature, _FLAG_OF.get(name, ""), False):
            continue
        if name == "feeds":
            value = [
                {"pipe": feed.pipe} if feed.pipe is not None else {"node": feed.node}
                for feed in value
            ]
            if len(value) < 2:
                continue
        given[FORMAT_NAMES.get(name, name)] = value
    if getattr(feature, "is_guessed", False) or getattr(feature, "is_pipe_guessed", False):
        for name in ("pipe", "node", "feeds"):
            given.pop(name, None)
    for name, value in feature.extra.items():
        given.setdefault(name, value)
    return given
