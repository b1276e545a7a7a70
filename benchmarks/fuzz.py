"""
Spoiled network files: none of them may hang the importer, crash it or be refused without a reason.

    ./run bench fuzz                 10,000 files (some minutes)
    ./run bench fuzz --files 500     fewer
    ./run bench fuzz --number 4711   one of them, with what became of it
    ./run bench fuzz --json          one object for machines

Every file goes through the reader and the placing of features, as an import
without a database does, in a process that is ended after 5 seconds on one file
and that may not grow by more than 500 MB. That nothing of a refused file lands
in a database is a test of the import itself.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Benchmark, memory_mb
from benchmarks.mutants import mutant
from gis.formats import FormatError, read
from gis.topology import network_of, place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.mutants import Mutant
    from gis.findings import Finding

FILES = 10_000
LIMIT_S = 5.0
LIMIT_MB = 500.0
LARGEST_PROCESS = 3_000_000_000
_WITHOUT_FEATURE = frozenset(
    {
        "file-empty",
        "not-a-feature-collection",
        "json-encoding",
        "text-encoding",
        "inp-no-nodes",
        "crs-named",
    }
)
"""Errors of a file as a whole, in which no feature is to be named."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file. `faults` are the promises that it broke."""

    number: int
    way: str
    seconds: float
    grown_mb: float
    is_refused: bool
    faults: tuple[str, ...]
    said: str


def try_mutant(spoiled: Mutant, folder: Path) -> Outcome:
    """Read one spoiled file and hold the answer against what was promised."""
    path = folder / f"network{spoiled.ending}"
    path.write_bytes(spoiled.data)
    before = memory_mb(os.getpid())
    begin = time.perf_counter()
    faults: list[str] = []
    errors: list[Finding] = []
    try:
        placement = place(read(path))
        errors = placement.report.errors
        if not errors:
            network_of(placement)
        said = [finding.text() for finding in placement.report]
    except FormatError as error:
        errors = error.findings
        said = [str(error), *(finding.text() for finding in error.report)]
        if not errors:
            faults.append("refused without an error")
    except Exception as error:  # noqa: BLE001  # the very thing looked for
        said = [f"{type(error).__name__}: {error}"]
        faults.append("crashed")
    seconds = time.perf_counter() - begin
    grown = memory_mb(os.getpid()) - before
    faults += _faults(spoiled, errors, said)
    if seconds > LIMIT_S:
        faults.append("slow")
    if grown > LIMIT_MB:
        faults.append("large")
    text = " | ".join(said[:3])[:300]
    return Outcome(spoiled.number, spoiled.way, seconds, grown, bool(errors), tuple(faults), text)


def _faults(spoiled: Mutant, errors: list[Finding], said: list[str]) -> Iterator[str]:
    if spoiled.must_fail is True and not errors and "crashed" not in said:
        yield "landed"
    if spoiled.must_fail is False and errors:
        yield "refused"
    if errors and not any(_names_a_feature(error) for error in errors):
        yield "names no feature"
    if errors and spoiled.spoiled is not None and not _names(spoiled.spoiled, errors, said):
        yield "names another feature"
    if any(word in text for text in said for word in ("Traceback", 'File "', "/site-packages/")):
        yield "speaks of code"


def _names_a_feature(error: Finding) -> bool:
    has_place = bool(error.id or error.params.get("near")) or error.index is not None
    return has_place or error.code in _WITHOUT_FEATURE or "reason" in error.params


def _names(name: str, errors: list[Finding], said: list[str]) -> bool:
    return any(error.id == name[:200] for error in errors) or any(name in text for text in said)


def work(numbers: range) -> None:
    """Try files one after the other, and print what became of each as a line of JSON."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (LARGEST_PROCESS, LARGEST_PROCESS))
    with tempfile.TemporaryDirectory() as folder:
        try_mutant(mutant(0), Path(folder))  # pays for the imports
        for number in numbers:
            spoiled = mutant(number)
            faulthandler.dump_traceback_later(LIMIT_S, exit=True)
            outcome = try_mutant(spoiled, Path(folder))
            faulthandler.cancel_dump_traceback_later()
            print(json.dumps(asdict(outcome)), flush=True)


def run_workers(files: int, workers: int) -> list[Outcome]:
    """Divide the files among processes."""
    share = -(-files // workers)
    parts = [range(begin, min(begin + share, files)) for begin in range(0, files, share)]
    with ThreadPoolExecutor(workers) as threads:
        return [outcome for part in threads.map(_run_worker, parts) for outcome in part]


def _run_worker(numbers: range) -> list[Outcome]:
    """Run a process over its files; where it ends early, note that file and go on after it."""
    found: list[Outcome] = []
    while len(found) < len(numbers):
        rest = numbers[len(found) :]
        command = [sys.executable, "-m", "benchmarks.fuzz", "--work", str(rest[0]), str(rest[-1])]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                with contextlib.suppress(json.JSONDecodeError):
                    found.append(Outcome(**json.loads(line)))
        if len(found) < len(numbers):
            found.append(_lost(mutant(numbers[len(found)])))
    return found


def _lost(spoiled: Mutant) -> Outcome:
    """Stand in for the outcome of a file on which the process ended."""
    return Outcome(
        number=spoiled.number,
        way=spoiled.way,
        seconds=LIMIT_S,
        grown_mb=0.0,
        is_refused=False,
        faults=("hung or died",),
        said="",
    )


def report(outcomes: list[Outcome]) -> Benchmark:
    """Count what happened, and hold it against the promises."""
    benchmark = Benchmark("fuzz")
    faults = Counter(fault for outcome in outcomes for fault in outcome.faults)
    benchmark.add("files", 0, len(outcomes), "files")
    benchmark.add("refused", 0, sum(outcome.is_refused for outcome in outcomes), "files")
    for name in (
        "crashed",
        "hung or died",
        "slow",
        "large",
        "landed",
        "refused",
        "refused without an error",
        "names no feature",
        "names another feature",
        "speaks of code",
    ):
        benchmark.check(f"files that {_PROMISES[name]}", faults[name], 0)
    slowest = max(outcome.seconds for outcome in outcomes)
    benchmark.check("slowest file, s", round(slowest, 3), LIMIT_S)
    largest = max(outcome.grown_mb for outcome in outcomes)
    benchmark.check("most memory for one file, MB", round(largest, 1), LIMIT_MB)
    return benchmark


_PROMISES = {
    "crashed": "crash the reader",
    "hung or died": "hang or end the process",
    "slow": "take longer than 5 s",
    "large": "take more than 500 MB",
    "landed": "land although they must not",
    "refused": "are refused although they are right",
    "refused without an error": "are refused without an error",
    "names no feature": "are refused without naming a feature or place",
    "names another feature": "are refused without naming the spoiled feature",
    "speaks of code": "are answered with words about code",
}


def main() -> int:
    """Run the benchmark, or one part of it."""
    parser = argparse.ArgumentParser(prog="./run bench fuzz")
    parser.add_argument("--files", "--count", type=int, default=FILES)
    parser.add_argument("--number", type=int)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--work", type=int, nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        work(range(asked.work[0], asked.work[1] + 1))
        return 0
    if asked.number is not None:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(asdict(try_mutant(mutant(asked.number), Path(folder))), indent=1))
        return 0
    outcomes = run_workers(asked.files, len(os.sched_getaffinity(0)))
    for outcome in [outcome for outcome in outcomes if outcome.faults][:20]:
        print(f"  {outcome.number} {outcome.way}: {outcome.faults} {outcome.said}", file=sys.stderr)
    benchmark = report(outcomes)
    print(benchmark.as_json() if asked.json else benchmark.as_table())
    return 0 if all(check.ok for check in benchmark.checks) else 1


if __name__ == "__main__":
    sys.exit(main())
