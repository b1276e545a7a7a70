"""Rows, checks and the table of a benchmark."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fieldops.embedded_postgres import find_binaries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Row:
    """One number measured at one size."""

    measure: str
    pipes: int
    value: float
    unit: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A number that was promised."""

    name: str
    value: float | None
    limit: float
    is_floor: bool = False
    """Whether the value must reach the limit, not stay under it."""

    @property
    def ok(self) -> bool:
        """Whether the promise is kept; what was not measured is not."""
        if self.value is None:
            return False
        return self.value >= self.limit if self.is_floor else self.value <= self.limit


@dataclass(slots=True)
class Benchmark:
    """What a run has found so far."""

    name: str
    counted: str = "pipes"
    """What the size of a row counts."""
    rows: list[Row] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    def add(self, measure: str, pipes: int, value: float, unit: str, remark: str = "") -> None:
        """Keep a number, and show at once that it is there."""
        self.rows.append(Row(measure, pipes, value, unit, remark))
        note = f"  ({remark})" if remark else ""
        print(f"  {pipes:>9,}  {measure}: {_show(value)} {unit}{note}", file=sys.stderr, flush=True)

    def value(self, measure: str, pipes: int) -> float | None:
        """Give a number back, None if it was not measured."""
        found = [row.value for row in self.rows if (row.measure, row.pipes) == (measure, pipes)]
        return found[-1] if found else None

    def check(
        self, name: str, value: float | None, limit: float, *, is_floor: bool = False
    ) -> None:
        """Hold a number against a promise."""
        self.checks.append(Check(name, value, limit, is_floor))

    def as_json(self) -> str:
        """Give everything as one JSON object."""
        checks = [
            {"name": c.name, "value": c.value, "limit": c.limit, "ok": c.ok} for c in self.checks
        ]
        rows = [asdict(row) for row in self.rows]
        found = {"name": self.name, "machine": machine(), "rows": rows, "checks": checks}
        return json.dumps(found, ensure_ascii=False, indent=1)

    def as_table(self) -> str:
        """Give the numbers by size, then the checks."""
        sizes = sorted({row.pipes for row in self.rows})
        measures = list(dict.fromkeys((row.measure, row.unit) for row in self.rows))
        lines = [["", *(f"{size:,} {self.counted}" for size in sizes), ""]]
        for measure, unit in measures:
            values = [self.value(measure, size) for size in sizes]
            lines.append([measure, *("" if v is None else _show(v) for v in values), unit])
        checks = [
            f"{'ok  ' if c.ok else 'MISS'}  {c.name}: "
            f"{'not measured' if c.value is None else _show(c.value)}"
            f" ({'at least' if c.is_floor else 'at most'} {c.limit:g})"
            for c in self.checks
        ]
        remarks = list(
            dict.fromkeys(f"{row.measure}: {row.remark}" for row in self.rows if row.remark)
        )
        return "\n".join([*_aligned(lines), "", *remarks, "", *checks])


def machine() -> dict[str, object]:
    """Describe where this runs."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory_gb, 1),
        "postgresql": _postgresql(),
        "processor": _processor(),
        "python": platform.python_version(),
        "system": platform.platform(),
        # Above the number of cores others work here too, and every time is too long.
        "load": [round(load, 1) for load in os.getloadavg()],
    }


def _postgresql() -> str:
    """Give the newest version here, which is the one that a new cluster gets."""
    return max(find_binaries(), default="none", key=float)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def times_ms(work: Callable[[int], object], items: Iterable[int]) -> list[float]:
    """Time a piece of work on each item."""
    taken = []
    for item in items:
        start = time.perf_counter()
        work(item)
        taken.append((time.perf_counter() - start) * 1e3)
    return taken


def quantile(values: Sequence[float], share: float) -> float:
    """Give the value below which that share of the values lies, one of them."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def memory_mb(pid: int) -> float:
    """Give the resident memory of a process and of its children."""
    total, todo = 0.0, [pid]
    while todo:
        process = todo.pop()
        try:
            status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
            for task in Path(f"/proc/{process}/task").iterdir():
                todo += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
        total += sum(
            int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")
        )
    return total


def _show(value: float) -> str:
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _aligned(lines: list[list[str]]) -> list[str]:
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    return [
        "  ".join(
            cell.ljust(width) if k in (0, len(line) - 1) else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
