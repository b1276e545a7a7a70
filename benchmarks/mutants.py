"""
Network files spoiled on purpose, each by its number: the same number, the same bytes.

A mutant knows the feature that was spoiled, where there is one, and whether the
file must be refused, so that more can be asked than "it did not crash".
"""

from __future__ import annotations

import copy
import json
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Document = dict[str, Any]
    Spoiled = tuple[bytes, str | None, bool | None]

_RAW = "@@raw@@"
_EAST, _NORTH = 0.0012, 0.0009
NAMES = (
    '=HYPERLINK("http://x.example","y")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    'O\'Brien "quoted" \\ back',
    "管线/一号 ①",
    "𠮷野家 🚰",
    "a\u202eb",
    "%(id)s %s {0}",
    "'; DROP TABLE pipe; --",
    "../../etc/passwd",
    "e\u0301" * 20,
)
"""Names that are text and nothing else: a file with them must land as it is."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """
    One spoiled file.

    `must_fail` is None where either answer is right; `spoiled` is the id of the
    feature that an error must name.
    """

    number: int
    way: str
    ending: str
    data: bytes
    spoiled: str | None
    must_fail: bool | None


def mutant(number: int) -> Mutant:
    """Spoil a file in the way, and at the place, that the number says."""
    chance = random.Random(number)  # noqa: S311  # nobody is to be kept from guessing
    ending = ".inp" if chance.random() < 0.3 else ".geojson"
    ways = _INP_WAYS if ending == ".inp" else _GEOJSON_WAYS
    way = chance.choice(sorted(ways))
    data, spoiled, must_fail = ways[way](chance)
    return Mutant(number, way, ending, data, spoiled, must_fail)


# --- the files before ---


@cache
def town() -> str:
    """Draw a small town with every kind of feature in it."""
    features = []

    def draw(kind: str, name: str, at: list[Any], /, **properties: object) -> None:
        shape = "Point" if not isinstance(at[0], list) else "LineString"
        features.append(
            {
                "type": "Feature",
                "geometry": {"type": shape, "coordinates": at},
                "properties": {"kind": kind, "id": name, **properties},
            }
        )

    def spot(column: float, row: float) -> list[float]:
        return [round(116.3 + column * _EAST, 7), round(39.9 + row * _NORTH, 7)]

    for column in range(4):
        for row in range(3):
            draw("node", f"N{column}{row}", spot(column, row), elevation_m=40.5)
    for column in range(4):
        for row in range(3):
            here = f"N{column}{row}"
            for east, north in ((1, 0), (0, 1)):
                there = f"N{column + east}{row + north}"
                if column + east > 3 or row + north > 2:
                    continue
                name = f"P-{here}-{there}"
                draw(
                    "pipe",
                    name,
                    [spot(column, row), spot(column + east, row + north)],
                    diameter_mm=150,
                    material="DI",
                    laid_on="1998-05",
                    start_node=here,
                    end_node=there,
                )
                place = spot(column + east * 0.1, row + north * 0.1)
                draw("valve", f"V-{name}", place, pipe=name, position="open", turns=21)
                place = spot(column + east * 0.5 + 0.02, row + north * 0.5 + 0.02)
                draw("customer", f"C-{name}", place, pipe=name, properties=12, people=30)
    draw("source", "works", spot(0, 0), node="N00", type="treatment_plant", head_m=80.0)
    draw("hydrant", "H1", spot(1, 1), node="N11", flow_l_s=15)
    draw("pump", "booster", [spot(3, 2), spot(3.2, 2)], start_node="N32", end_node="far")
    draw("node", "far", spot(3.2, 2))
    draw("road", "R1", [spot(0, 0), spot(3, 0)], name="解放路", speed_kmh=40, one_way=False)
    draw("depot", "D1", spot(2, 2), name="抢修站")
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)


@cache
def model() -> str:
    """Give EPANET's first example, as it comes with wntr."""
    import wntr  # noqa: PLC0415  # takes two seconds

    return (Path(wntr.__file__).parent / "library/networks/Net1.inp").read_text(encoding="utf-8")


# --- spoiling bytes ---


def _flip(data: bytes, chance: random.Random) -> bytes:
    spoiled = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
    return bytes(spoiled)


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _drop(data: bytes, chance: random.Random) -> bytes:
    begin = chance.randrange(len(data))
    return data[:begin] + data[begin + chance.randint(1, 200) :]


def _repeat(data: bytes, chance: random.Random) -> bytes:
    begin = chance.randrange(len(data))
    piece = data[begin : begin + chance.randint(1, 400)]
    return data[:begin] + piece * chance.randint(2, 50) + data[begin:]


def _noise(data: bytes, chance: random.Random) -> bytes:
    begin = chance.randrange(len(data))
    return data[:begin] + chance.randbytes(chance.randint(1, 2000)) + data[begin:]


_BYTE_WAYS = {"flip": _flip, "cut": _cut, "drop": _drop, "repeat": _repeat, "noise": _noise}


def _byte_ways(whole: Callable[[], str]) -> dict[str, Callable[[random.Random], Spoiled]]:
    """Give the ways that know nothing of the format, for one file."""

    def way(spoil: Callable[[bytes, random.Random], bytes]) -> Callable[[random.Random], Spoiled]:
        return lambda chance: (spoil(whole().encode(), chance), None, None)

    return {name: way(spoil) for name, spoil in _BYTE_WAYS.items()}


# --- spoiling GeoJSON ---


def _parsed(chance: random.Random, *kinds: str) -> tuple[Document, Document]:
    document = json.loads(town())
    found = [f for f in document["features"] if not kinds or f["properties"]["kind"] in kinds]
    return document, chance.choice(found)


def _text(document: Document, raw: str | None = None) -> bytes:
    text = json.dumps(document, ensure_ascii=False)
    if raw is not None:
        text = text.replace(f'"{_RAW}"', raw, 1)
    return text.encode("utf-8", "surrogatepass")


def _name(feature: Document) -> str:
    return str(feature["properties"]["id"])


def _swap_type(chance: random.Random) -> Spoiled:
    document, feature = _parsed(chance)
    key = chance.choice(sorted(feature["properties"].keys() - {"kind"}))
    name = _name(feature) if key != "id" else None
    feature["properties"][key] = chance.choice(
        ["x", -1, 0, 3.5, True, None, [], {}, [1, "a"], {"a": {"b": 1}}, "", "NaN", 10**30]
    )
    return _text(document), name, None


def _swap_any(chance: random.Random) -> Spoiled:
    document, feature = _parsed(chance)
    feature[chance.choice(["type", "geometry", "properties"])] = chance.choice(
        ["x", 1, None, [], {}, True]
    )
    return _text(document), None, True


def _lose_key(chance: random.Random) -> Spoiled:
    document, feature = _parsed(chance)
    key = chance.choice(["type", "geometry", "properties"])
    name = _name(feature) if key == "geometry" else None
    del feature[key]
    return _text(document), name, True


def _lose_property(chance: random.Random) -> Spoiled:
    document, feature = _parsed(chance)
    key = chance.choice(sorted(feature["properties"]))
    name = _name(feature) if key != "id" else None
    del feature["properties"][key]
    must_fail = key in {"id", "kind", "diameter_mm"} and feature["properties"].get("kind")
    return _text(document), name, True if must_fail else None


def _huge(chance: random.Random) -> Spoiled:
    document, feature = _parsed(chance, "pipe")
    key = chance.choice(["diameter_mm", "length_m", "remark"])
    feature["properties"][key] = _RAW
    raw = chance.choice(["1e308", "1e999", "-1e999", "9" * 400, "9" * 5000, "1e-999", "-0.0"])
    return _text(document, raw), _name(feature), None


def _not_a_number(chance: random.Random) -> Spoiled:
    document, feature = _parsed(chance, "pipe")
    feature["properties"]["diameter_mm"] = _RAW
    return _text(document, chance.choice(["NaN", "Infinity", "-Infinity"])), _name(feature), True


def _deep(chance: random.Random) -> Spoiled:
    document, feature = _parsed(chance)
    depth = chance.choice([50, 2_000, 200_000])
    place = chance.choice(["remark", "id"])
    name = _name(feature) if depth < 1000 and place != "id" else None
    feature["properties"][place] = _RAW
    raw = (
        "[" * depth + "]" * depth if chance.random() < 0.5 else '{"a":' * depth + "1" + "}" * depth
    )
    return _text(document, raw), name, True if depth > 1000 or place == "id" else None


def _same_id(chance: random.Random) -> Spoiled:
    document, feature = _parsed(chance, "pipe", "valve", "node", "customer")
    twin = copy.deepcopy(feature)
    is_different = chance.random() < 0.5
    if is_different:
        twin["properties"]["diameter_mm"] = 999
        twin["properties"]["remark"] = "another"
    document["features"].append(twin)
    return _text(document), _name(feature), is_different


def _wrong_shape(chance: random.Random) -> Spoiled:
    document, feature = _parsed(chance)
    right = feature["geometry"]["type"]
    shapes = ["Polygon", "MultiPolygon", "GeometryCollection", "Circle", "", None, 7]
    shapes.append("LineString" if right == "Point" else "Point")
    feature["geometry"]["type"] = chance.choice(shapes)
    return _text(document), _name(feature), True


def _wrong_coordinates(chance: random.Random) -> Spoiled:
    document, feature = _parsed(chance)
    feature["geometry"]["coordinates"] = chance.choice(
        [
            [],
            None,
            "x",
            {},
            [[]],
            [None, None],
            ["116", "39"],
            [116.3],
            [[116.3, 39.9]],
            [[[116.3, 39.9], [116.4, 39.9]]],
            [439000.0, 4400000.0],
            [[439000.0, 4400000.0], [439100.0, 4400000.0]],
            [True, False],
            [1e300, 1e300],
        ]
    )
    return _text(document), _name(feature), True


def _height(chance: random.Random) -> Spoiled:
    document, feature = _parsed(chance, "node", "valve", "customer")
    feature["geometry"]["coordinates"].append(chance.choice([12.5, 0, -3]))
    return _text(document), _name(feature), False


def _odd_name(chance: random.Random) -> Spoiled:
    document, feature = _parsed(chance, "valve", "customer", "road", "depot")
    feature["properties"]["id"] = chance.choice(NAMES)
    return _text(document), _name(feature), False


def _bad_text(chance: random.Random) -> Spoiled:
    document, feature = _parsed(chance)
    place = chance.choice(["id", "remark"])
    name = None if place == "id" else _name(feature)
    feature["properties"][place] = _RAW
    raw = chance.choice(['"a\\u0000b"', '"\\ud800"', '"\\udfff\\ud800x"', '"\\u000a"', '""'])
    is_bad = place == "id" or raw in {'"a\\u0000b"', '"\\ud800"'}
    return _text(document, raw), name, True if is_bad else None


def _key_twice(chance: random.Random) -> Spoiled:
    document, feature = _parsed(chance, "pipe", "valve")
    feature["properties"]["remark"] = _RAW
    return _text(document, '1, "remark": 2'), _name(feature), True


def _unknown_reference(chance: random.Random) -> Spoiled:
    document, feature = _parsed(chance, "pipe", "valve", "customer", "pump", "source", "hydrant")
    keys = feature["properties"].keys() & {"pipe", "node", "start_node", "end_node"}
    feature["properties"][chance.choice(sorted(keys))] = chance.choice(["nowhere", "", 7, "=1+1"])
    return _text(document), _name(feature), None


def _unknown_kind(chance: random.Random) -> Spoiled:
    document, feature = _parsed(chance, "road", "depot")
    feature["properties"]["kind"] = chance.choice(["manhole", "<b>x</b>", "PIPE", "kind", "管线"])
    return _text(document), _name(feature), False


def _feeds(chance: random.Random) -> Spoiled:
    document, feature = _parsed(chance, "customer")
    feature["properties"]["feeds"] = chance.choice(
        [{}, "P1", [1], [None], [{}], [{"pipe": "nowhere"}], [{"pipe": [1]}], [{"node": {}}], [[]]]
    )
    return _text(document), _name(feature), True


def _encoding(chance: random.Random) -> Spoiled:
    name = chance.choice(["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "utf-32"])
    return town().encode(name), None, None


def _folded(chance: random.Random) -> Spoiled:
    document, feature = _parsed(chance, "pipe")
    line = feature["geometry"]["coordinates"]
    feature["geometry"]["coordinates"] = chance.choice(
        [[line[0], line[0]], [line[0], line[1], line[0]], line * 300, [[0, 0], [0, 0]]]
    )
    return _text(document), _name(feature), False


def _at_the_edge(chance: random.Random) -> Spoiled:
    document, feature = _parsed(chance, "pipe", "customer", "valve")
    place = [chance.choice([-180, 180, 0, 179.9999999]), chance.choice([-90, 90, 0, 89.95])]
    if feature["geometry"]["type"] == "Point":
        feature["geometry"]["coordinates"] = place
    else:
        feature["geometry"]["coordinates"][0] = place
    return _text(document), _name(feature), False


def _outside(chance: random.Random) -> Spoiled:
    raw = chance.choice(
        ["", " ", "[]", "{}", "null", "7", '"x"', '{"type":"FeatureCollection"}', "\ufeff", "{" * 9]
    )
    return raw.encode(), None, True


_GEOJSON_WAYS: dict[str, Callable[[random.Random], Spoiled]] = {
    "swap-type": _swap_type,
    "swap-any": _swap_any,
    "lose-key": _lose_key,
    "lose-property": _lose_property,
    "huge": _huge,
    "not-a-number": _not_a_number,
    "deep": _deep,
    "same-id": _same_id,
    "wrong-shape": _wrong_shape,
    "wrong-coordinates": _wrong_coordinates,
    "height": _height,
    "odd-name": _odd_name,
    "bad-text": _bad_text,
    "key-twice": _key_twice,
    "unknown-reference": _unknown_reference,
    "unknown-kind": _unknown_kind,
    "feeds": _feeds,
    "encoding": _encoding,
    "folded": _folded,
    "at-the-edge": _at_the_edge,
    "outside": _outside,
    **_byte_ways(town),
}


# --- spoiling INP ---

_NETWORK = ("[JUNCTIONS]", "[PIPES]", "[TANKS]", "[RESERVOIRS]", "[PUMPS]", "[COORDINATES]")


def _line_of(chance: random.Random, *sections: str) -> tuple[list[str], int]:
    """Choose a line of the network."""
    lines = model().splitlines()
    section, found = "", []
    for row, line in enumerate(lines):
        if line.startswith("["):
            section = line.strip()
        elif line.strip() and not line.startswith(";") and section in (sections or _NETWORK):
            found.append(row)
    return lines, chance.choice(found)


def _inp_token(chance: random.Random) -> Spoiled:
    lines, row = _line_of(chance)
    words = lines[row].split()
    name = words[0]
    at = chance.randrange(1, len(words))
    words[at] = chance.choice(
        ["x", "nan", "inf", "-inf", "1e999", "-5", "0", "9" * 400, "1e308", "=1+1", "管", "1,5"]
    )
    lines[row] = "\t".join(words)
    return "\n".join(lines).encode(), name, None


def _inp_not_number(chance: random.Random) -> Spoiled:
    lines, row = _line_of(chance, "[PIPES]")
    words = lines[row].split()
    words[chance.choice([3, 4, 5])] = chance.choice(["abc", "nan", "inf", "1.2.3", "--", "<b>"])
    lines[row] = "\t".join(words)
    return "\n".join(lines).encode(), words[0], True


def _inp_short(chance: random.Random) -> Spoiled:
    lines, row = _line_of(chance, "[PIPES]", "[TANKS]")
    words = lines[row].split()
    lines[row] = "\t".join(words[: chance.randint(1, 4)])
    return "\n".join(lines).encode(), words[0], True


def _inp_no_node(chance: random.Random) -> Spoiled:
    lines, row = _line_of(chance, "[PIPES]", "[PUMPS]")
    words = lines[row].split()
    words[chance.choice([1, 2])] = "nowhere"
    lines[row] = "\t".join(words)
    return "\n".join(lines).encode(), words[0], True


def _inp_twice(chance: random.Random) -> Spoiled:
    lines, row = _line_of(chance, "[PIPES]", "[JUNCTIONS]", "[TANKS]")
    lines.insert(row, lines[row])
    return "\n".join(lines).encode(), lines[row].split()[0], True


def _inp_name(chance: random.Random) -> Spoiled:
    lines, row = _line_of(chance, "[PIPES]")
    words = lines[row].split()
    name = chance.choice([name for name in NAMES if not set(name) & set(' ";[')])
    words[0] = name
    lines[row] = "\t".join(words)
    return "\n".join(lines).encode(), name, None


def _inp_section(chance: random.Random) -> Spoiled:
    sections = model().split("\n[")
    at = chance.randrange(1, len(sections))
    if chance.random() < 0.5:
        del sections[at]
    else:
        sections[at] = chance.choice(["junk]\n a b c\n", "\n", "]\n", sections[at] * 3])
    return "\n[".join(sections).encode(), None, None


def _inp_option(chance: random.Random) -> Spoiled:
    line = chance.choice(
        [
            "Units PARSECS",
            "Units",
            "Demand Multiplier 1e300",
            "Demand Multiplier x",
            "Pattern nowhere",
            "Headloss ?",
            "Hydraulics USE /etc/passwd",
            "Map /etc/passwd",
            "Trials 99999999999999999999",
        ]
    )
    return model().replace("[OPTIONS]", f"[OPTIONS]\n {line}").encode(), None, None


def _inp_encoding(chance: random.Random) -> Spoiled:
    text = "[TITLE]\n城东供水模型\n" + model()
    name = chance.choice(["utf-8-sig", "utf-16", "gb18030", "gbk", "utf-32"])
    return text.encode(name), None, None


_INP_WAYS: dict[str, Callable[[random.Random], Spoiled]] = {
    "token": _inp_token,
    "not-number": _inp_not_number,
    "short": _inp_short,
    "no-node": _inp_no_node,
    "twice": _inp_twice,
    "name": _inp_name,
    "section": _inp_section,
    "option": _inp_option,
    "encoding": _inp_encoding,
    **_byte_ways(model),
}
