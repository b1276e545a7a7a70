"""Hundreds of spoiled files go through the readers; `./run bench fuzz` sends ten thousand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.fuzz import try_mutant
from benchmarks.mutants import NAMES, mutant, town
from gis.formats.geojson import parse_geojson
from gis.topology import place
from tests.gis.formats import drawing

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("begin", range(0, 400, 100))
def test_a_spoiled_file_breaks_no_promise(tmp_path: Path, begin: int) -> None:
    """No crash, no hang, no silence: an error names the feature."""
    outcomes = [try_mutant(mutant(number), tmp_path) for number in range(begin, begin + 100)]

    assert [outcome for outcome in outcomes if outcome.faults] == []


def test_the_file_that_is_spoiled_is_sound_before() -> None:
    """Else everything would be refused for another reason."""
    placement = place(parse_geojson(town().encode()))

    assert not placement.report.has_errors
    assert placement.report.total("wrong") == 0


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_land_as_they_are(name: str) -> None:
    """They are text, whoever shows them makes them harmless."""
    assert drawing.read(drawing.node(name, 0)).nodes[0].id == name
