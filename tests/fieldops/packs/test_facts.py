"""What is told of a valve is never taken for a pump's or a control valve's of the same id."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import numpy as np

from gis.formats.pack import Pack, write_pack


def test_facts_are_told_apart_by_kind() -> None:
    """Of three devices of one id each keeps its own; what was told last of each counts."""
    columns = {
        "device_table": np.array([1, 2, 0, 0], dtype=np.int8),
        "device_position": np.array([2, 0, 0, 0], dtype=np.int8),
        "device_operability": np.array([0, 0, 0, 0], dtype=np.int8),
        "device_reachable": np.array([1, 1, 1, 1], dtype=np.int8),
        "device_is_assumed": np.array([0, 0, 0, 0], dtype=np.int8),
    }
    packed = write_pack(Pack({}, columns, {"device_id": ["X", "X", "X", "A"]}))
    fact = {"id": "X", "operability": "operable", "reachable": True, "is_assumed": False}
    heard = [
        [fact | {"kind": "valve", "position": "open"}],
        [
            fact | {"kind": "valve", "position": "closed"},
            fact | {"kind": "control_valve", "position": "open", "reachable": False},
        ],
    ]
    asked = {"pack": base64.b64encode(packed).decode(), "heard": heard, "is_whole": False}
    ran = subprocess.run(
        ["node", str(Path(__file__).with_name("facts_many.mjs"))],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(ran.stdout)
    assert told["position"] == [2, 0, 1, 0]
    assert told["reachable"] == [1, 0, 1, 1]
    assert told["row"] == 2
