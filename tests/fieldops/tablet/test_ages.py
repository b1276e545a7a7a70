"""How old the tablet says that something is: its own words, run in node."""

from __future__ import annotations

import json
import subprocess

from fieldops.settings import CHECKOUT

WORDS = CHECKOUT / "fieldops/static/js/tablet/words.js"
SCRIPT = """
globalThis.location = { search: "?lang=en" };
globalThis.localStorage = { getItem: () => null, setItem: () => {} };
const { age, clock } = await import(process.argv[1]);
const at = (minutes) => new Date(Date.now() - minutes * 60_000 - 1000);
const ahead = at(-60);
console.log(JSON.stringify([age(at(0)), age(at(12)), age(at(-2)), age(ahead) === clock(ahead)]));
"""


def test_what_is_of_the_future_is_never_called_fresh() -> None:
    """A tablet's clock that was put back makes no old map a new one."""
    done = subprocess.run(
        ["node", "--input-type=module", "-e", SCRIPT, str(WORDS)],
        capture_output=True,
        check=True,
        text=True,
        timeout=20,
    )
    assert json.loads(done.stdout) == ["just now", "12 min ago", "just now", True]
