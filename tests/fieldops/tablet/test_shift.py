"""The shift of China's maps, against pairs that were published with other people's programs."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from typing import TYPE_CHECKING

import pytest

from fieldops.settings import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

SHIFT = CHECKOUT / "fieldops/static/js/tablet/shift.js"
SCRIPT = """
const { toGcj02, toBd09, gcj02ToBd09 } = await import(process.argv[1]);
const by = { toGcj02, toBd09, gcj02ToBd09 };
const asked = JSON.parse(process.argv[2]);
console.log(JSON.stringify(asked.map(([name, lon, lat]) => {
  const at = by[name]({ lon, lat });
  return [at.lon, at.lat];
})));
"""
PAIRS = {
    # github.com/googollee/eviltransform, tests: Shanghai, Shenzhen, Beijing
    ("toGcj02", 121.5272106, 31.1774276): (121.531541859215, 31.17530398364597),
    ("toGcj02", 113.912316, 22.543847): (113.9171764808363, 22.540796131694766),
    ("toGcj02", 116.377817, 39.911954): (116.38404722455657, 39.91334545536069),
    # github.com/wandergis/coordtransform, README
    ("toGcj02", 116.404, 39.915): (116.41024449916938, 39.91640428150164),
    ("gcj02ToBd09", 116.404, 39.915): (116.41036949371029, 39.92133699351021),
    ("toBd09", 116.404, 39.915): (116.41662724378733, 39.922699552216216),
    # No map is shifted there: Denver, Tokyo
    ("toGcj02", -104.9903, 39.7392): (-104.9903, 39.7392),
    ("toBd09", 139.74556, 35.65861): (139.74556, 35.65861),
}


@cache
def shifted() -> dict[tuple[str, float, float], Sequence[float]]:
    """Shift them all in one run of the tablet's own script."""
    done = subprocess.run(
        ["node", "--input-type=module", "-e", SCRIPT, str(SHIFT), json.dumps(list(PAIRS))],
        capture_output=True,
        check=True,
        text=True,
        timeout=20,
    )
    return dict(zip(PAIRS, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("asked", list(PAIRS), ids=str)
def test_a_place_lands_where_the_published_pair_has_it(asked: tuple[str, float, float]) -> None:
    """To a millimetre."""
    assert shifted()[asked] == pytest.approx(PAIRS[asked], abs=1e-8)
