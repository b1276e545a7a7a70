"""Tables as text that a spreadsheet opens without running anything in them."""

from __future__ import annotations

import csv
import io
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
"""A cell that begins so is taken for a formula by one spreadsheet or another."""


def harmless(cell: object) -> object:
    """
    Give a cell that no spreadsheet takes for a formula.

    Text that begins like one gets an apostrophe in front, which spreadsheets
    show as plain text; numbers stay numbers, negative ones too.
    """
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\0", "")
    return f"'{text}" if text.lstrip(" \u00a0\u3000").startswith(FORMULA_STARTS) else text


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """
    Give a table line by line (RFC 4180), the header first.

    None is an empty cell, True and False are "true" and "false".
    """
    line = io.StringIO(newline="")
    writer = csv.writer(line)
    for row in chain([header], _words(rows)):
        writer.writerow([harmless(cell) for cell in row])
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _words(rows: Iterable[Sequence[object]]) -> Iterator[Sequence[object]]:
    for row in rows:
        yield [str(cell).lower() if isinstance(cell, bool) else cell for cell in row]
