"""How often a crew's place is told: the tablet's own rule, run in node."""

from __future__ import annotations

import json
import subprocess

from fieldops.settings import CHECKOUT

RULE = CHECKOUT / "fieldops/static/js/tablet/position_rule.js"
SCRIPT = """
const { isWorthTelling } = await import(process.argv[1]);
const place = ([second, metres, accuracy_m]) => ({
  lon: 117, lat: 31 + metres / 111320, accuracy_m, at: new Date(second * 1000).toISOString(),
});
const cases = JSON.parse(process.argv[2]);
console.log(JSON.stringify(cases.map(([now, before]) =>
  isWorthTelling(place(now), before && place(before)))));
"""
BEFORE = [0, 0, 5]
CASES = {
    "the first one": ([0, 0, 5], None, True),
    "standing, half a minute": ([30, 0, 5], BEFORE, False),
    "standing, a minute": ([60, 0, 5], BEFORE, True),
    "49 metres": ([30, 49, 5], BEFORE, False),
    "51 metres": ([30, 51, 5], BEFORE, True),
    "a fast drive": ([5, 200, 5], BEFORE, False),
    "a jump of a rough place": ([30, 60, 80], BEFORE, False),
}


def test_a_place_is_told_each_minute_or_each_fifty_metres() -> None:
    """And no oftener, however fast the drive and however rough the place."""
    asked = json.dumps([case[:2] for case in CASES.values()])
    done = subprocess.run(
        ["node", "--input-type=module", "-e", SCRIPT, str(RULE), asked],
        capture_output=True,
        check=True,
        text=True,
        timeout=20,
    )
    found = dict(zip(CASES, json.loads(done.stdout), strict=True))
    assert found == {name: case[2] for name, case in CASES.items()}
