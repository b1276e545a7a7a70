"""
Packs: arrays and texts in one file that a browser reads as views over its bytes.

The layout is described in docs/pack-format.md; static/js/tablet/pack_format.js reads it, too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

MAGIC = b"FOPACK1\n"
ALIGNMENT = 8
TYPES = {"u8": "u1", "i8": "i1", "i32": "<i4", "u32": "<u4", "f32": "<f4", "f64": "<f8"}
_NAMES = {np.dtype(code): name for name, code in TYPES.items()} | {np.dtype("bool"): "u8"}


class PackError(ValueError):
    """The bytes are no pack, or the arrays cannot be put into one."""


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """What a pack says of itself, its arrays, and its columns of text."""

    about: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]
    texts: Mapping[str, Sequence[str]]


def write_pack(pack: Pack) -> bytes:
    """
    Write a pack.

    Parameters
    ----------
    pack
        `about` has to be JSON. Arrays of more than one column are written row after row; texts as
        one run of UTF-8 with the place where each begins, and their order by bytes.

    Raises
    ------
    PackError
        If an array is of a type that no browser can look at, or two have one name.
    """
    arrays = dict(pack.arrays)
    for name, texts in pack.texts.items():
        columns = _columns_of_texts(name, texts)
        if columns.keys() & arrays.keys():
            raise PackError(f"two arrays are named as the texts {name!r}")
        arrays |= columns
    directory: dict[str, dict[str, int | str]] = {}
    pieces, at = [], 0
    for name, array in arrays.items():
        kind = _NAMES.get(array.dtype.newbyteorder("<"))
        if kind is None:
            raise PackError(f"{name} is of type {array.dtype}, which no pack holds")
        data = array.astype(TYPES[kind], copy=False).tobytes()
        directory[name] = {"type": kind, "at": at, "count": array.size}
        padded = data + bytes(-len(data) % ALIGNMENT)
        pieces.append(padded)
        at += len(padded)
    header = {"about": dict(pack.about), "texts": list(pack.texts), "arrays": directory}
    head = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    # The head is filled up with spaces, so that the arrays begin at a multiple of eight.
    head += b" " * (-(len(MAGIC) + 8 + len(head)) % ALIGNMENT)
    lengths = np.array([len(head), at], dtype="<u4").tobytes()
    return b"".join([MAGIC, lengths, head, *pieces])


def read_pack(data: bytes) -> Pack:
    """
    Read a pack.

    Raises
    ------
    PackError
        If the bytes are not those of a whole pack.
    """
    start = len(MAGIC) + 8
    if data[: len(MAGIC)] != MAGIC or len(data) < start:
        raise PackError("these bytes do not begin as a pack does")
    head_bytes, body_bytes = (
        int(number) for number in np.frombuffer(data, "<u4", 2, offset=len(MAGIC))
    )
    body = start + head_bytes
    if len(data) != body + body_bytes:
        raise PackError(f"the pack has {len(data)} bytes, expected {body + body_bytes}")
    header = json.loads(data[start:body])
    arrays = {
        name: np.frombuffer(data, TYPES[each["type"]], each["count"], offset=body + each["at"])
        for name, each in header["arrays"].items()
    }
    texts = {}
    for name in header["texts"]:
        run, starts = arrays.pop(name).tobytes(), arrays.pop(f"{name}_start")
        arrays.pop(f"{name}_order")
        texts[name] = [
            run[since:until].decode()
            for since, until in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
        ]
    return Pack(header["about"], arrays, texts)


def _columns_of_texts(name: str, texts: Sequence[str]) -> dict[str, NDArray[Any]]:
    encoded = [text.encode() for text in texts]
    start = np.zeros(len(encoded) + 1, dtype="<u4")
    np.cumsum([len(each) for each in encoded], out=start[1:])
    # By bytes, as the database sorts ids: a browser finds a text by bisection without decoding.
    order = sorted(range(len(encoded)), key=encoded.__getitem__)
    return {
        name: np.frombuffer(b"".join(encoded), dtype="u1"),
        f"{name}_start": start,
        f"{name}_order": np.array(order, dtype="<i4"),
    }
