"""A table opened in a spreadsheet runs nothing."""

from __future__ import annotations

import csv
import io

import pytest

from gis.formats.csv import csv_lines, harmless


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "\n=1"],  # noqa: RUF001
)
def test_text_that_looks_like_a_formula_is_made_text(text: str) -> None:
    """By an apostrophe in front."""
    assert str(harmless(text)).startswith("'")


@pytest.mark.parametrize("cell", [-1.5, 0, None, "管线-1", "a=b", "O'Brien"])
def test_other_cells_stay_as_they_are(cell: object) -> None:
    """Negative numbers too."""
    assert harmless(cell) == cell


def test_lines_read_back_as_the_table() -> None:
    """With quotes, commas and line breaks in cells."""
    rows: list[list[object]] = [["a,b", 'say "x"', None], ["two\nlines", -1.5, True]]
    text = "".join(csv_lines(["one", "two", "three"], rows))

    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["one", "two", "three"],
        ["a,b", 'say "x"', ""],
        ["two\nlines", "-1.5", "true"],
    ]
