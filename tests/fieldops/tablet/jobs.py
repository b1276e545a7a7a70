"""Jobs of a day and records of a device, for the tablet's own reckoning in node."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fieldops.order_process.service import find_process, newest_version

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

Json = dict[str, Any]
SCRIPT = Path(__file__).with_name("job_state.mjs")
NODE = shutil.which("node") or "node"
COUNT = itertools.count(1)
OURS, OTHERS = "C-1", "C-2"


class Device:
    """One node process that answers as the tablet's modules do."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [NODE, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, call: str, *args: object) -> Any:  # noqa: ANN401 - JSON
        """Call a function of the tablet."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"call": call, "args": args}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=10)


def list_steps(session: Session) -> list[Json]:
    """Give the steps of the process as the day tells them."""
    process = find_process(session, newest_version(session))
    return [
        {
            "action": each.action,
            "from": list(each.from_states),
            "to": each.to_state,
            "who": sorted(each.may),
            "is_mine": "crew" in each.may,
            "is_not_for_own_crew": each.is_not_for_own_crew,
            "only_when": dict(each.only_when),
            "needs": [dict(need) for need in each.needs if "field" in need],
            "title": each.title,
        }
        for each in process.transitions
    ]


def valve(number: int, **facts: object) -> Json:
    """Make a valve of a plan."""
    return {
        "valve": f"V{number}",
        "table": "valve",
        "role": "close",
        "number": number,
        "state": "to_close",
        "turns_recorded": 20,
        "turns_counted": None,
        "accepted_by": None,
        "tag": None,
        "where": {},
        "changed_in": 0,
    } | facts


def job(steps: list[Json], *valves: Json, **facts: object) -> Json:
    """Make a repair with an outage of these valves."""
    outage = {
        "id": "O-1",
        "version": 3,
        "valves": list(valves),
        "parts": [
            {
                "id": "all",
                "valves": [each["valve"] for each in valves],
                "connections": 3,
                "properties": 9,
            }
        ],
        "stages": {"aware": "2026-03-04T05:00:00Z"},
    }
    return {
        "id": "W-1",
        "version": 5,
        "kind": "repair",
        "state": "assigned",
        "state_since": "2026-03-04T05:00:00Z",
        "is_on_hold": False,
        "held_from": None,
        "hold_reason": None,
        "resume_by": None,
        "crew": OURS,
        "second_crew": None,
        "needs_excavation": False,
        "arrived_at": None,
        "data": {},
        "steps": steps,
        "stages": {},
        "outages": [outage] if valves else [],
        "outage": outage if valves else None,
    } | facts


def op(action: str, subject: str = "work_order:W-1", /, **more: Any) -> Json:  # noqa: ANN401 - JSON
    """Make a record of the device; `body` is what the rest says."""
    number = next(COUNT)
    facts = {
        name: more.pop(name)
        for name in ("state", "answer", "occurred_at", "resolved")
        if name in more
    }
    return {
        "op_id": str(number),
        "seq": number,
        "sequence": number,
        "subject": subject,
        "action": action,
        "body": more,
        "state": "here",
        "person_name": "王芳",
        "occurred_at": f"2026-03-04T06:{number % 60:02d}:00Z",
        "photos": [],
    } | facts


def deed(action: str, **more: Any) -> Json:  # noqa: ANN401 - JSON
    """Make a record about the outage."""
    return op(action, "outage:O-1", **more)
