"""
How long repairs take: each forecast from repairs that were over before, beside simpler ones.

    ./run bench durations                 the history of simulated burst days
    ./run bench durations FILE.csv        a utility's own: reported_at, restored_at, anything else
    ./run bench durations FILE.csv --json one object for machines

A forecast is made at each report from the repairs that had ended by then and
nothing else; the columns besides the two moments are named and left unused:
with a hundred records they do not pay. Beside it stand a fixed band, the
prior's own P10, P50 and P90 for every repair, and a running median with the
running P10 and P90 of all repairs that had ended. Coverage is the share of
repairs that ended between P10 and P90, pinball the mean loss of the three.
What is learned costs about the same for each repair as there are repairs.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.burst_day import HOUR_S, City, Day, play
from benchmarks.dispatch_policies import POLICIES
from benchmarks.measure import Benchmark
from gis.assignment import Severity
from gis.restoration import LEVELS, DurationModel, learn_in_turn, score_forecasts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

SIMULATED_SEEDS = range(101, 107)
SIMULATED_JOBS_AN_HOUR = 4.0
BETWEEN_DAYS_S = 5 * 24 * HOUR_S
"""So that repairs of one day are over before the next, as in a town with a burst day a week."""
COVERAGE = 0.8
WIDTH_H = 28.0
PINBALL_H = 2.84
FEWEST_TO_COUNT = 5
"""Earlier repairs that a running median needs; before, it tells the fixed band."""


@dataclass(frozen=True, slots=True)
class History:
    """When repairs began and ended, in hours on one clock."""

    begun_h: Numbers
    ended_h: Numbers
    unused: tuple[str, ...] = ()
    faults: int = 0

    @property
    def hours(self) -> Numbers:
        """How long each took."""
        return self.ended_h - self.begun_h


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="./run bench durations", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="a CSV of repairs")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    history = read_history(asked.file) if asked.file else simulated_history()
    bench = measure(history)
    print(bench.as_json() if asked.json else bench.as_table())
    sys.exit(not all(check.ok for check in bench.checks))


def measure(history: History) -> Benchmark:
    """Hold the three forecasts against the same repairs."""
    bench = Benchmark("durations", counted="repairs")
    count = len(history.hours)
    if history.unused:
        bench.add("columns unused", count, len(history.unused), "", ", ".join(history.unused))
    bench.add("rows left out", count, history.faults, "", "a moment missing, or no time between")
    start = time.perf_counter()
    _, learned = learn_in_turn(history.begun_h, history.ended_h)
    taken_ms = (time.perf_counter() - start) * 1e3
    for name, forecasts in (
        ("learned", learned),
        ("fixed band", fixed_band(count)),
        ("running median", running_median(history)),
    ):
        score = score_forecasts(forecasts, history.hours)
        bench.add(f"{name}: coverage", count, score.coverage, "share")
        bench.add(f"{name}: width", count, score.width_h, "h")
        bench.add(f"{name}: pinball", count, score.pinball_h, "h")
    bench.add("learning, a repair", count, taken_ms / count, "ms")
    for number in (1, 2):
        peer = ("fixed band", "running median")[number - 1]
        ratio = _value(bench, "learned: pinball", count) / _value(bench, f"{peer}: pinball", count)
        bench.add(f"pinball over that of the {peer}", count, ratio, "ratio")
    bench.check(
        "80 % interval covers", bench.value("learned: coverage", count), COVERAGE, is_floor=True
    )
    bench.check("width, h", bench.value("learned: width", count), WIDTH_H)
    bench.check("pinball 10/50/90, h", bench.value("learned: pinball", count), PINBALL_H)
    return bench


def _value(bench: Benchmark, measure: str, count: int) -> float:
    value = bench.value(measure, count)
    assert value is not None
    return value


def simulated_history() -> History:
    """Play burst days under the nearest crew, and note when bursts and leaks began and ended."""
    city = City.invented()
    begun, ended = [], []
    for number, seed in enumerate(SIMULATED_SEEDS):
        day = Day.drawn(city, SIMULATED_JOBS_AN_HOUR, seed)
        result = play(day, POLICIES["nearest by road"])
        for job in day.jobs:
            if job.kind.severity != Severity.ROUTINE:
                reported_s = number * BETWEEN_DAYS_S + job.reported_s
                begun.append(reported_s / HOUR_S)
                ended.append((reported_s + result.wait_s[job.row] + job.work_s) / HOUR_S)
    return History(np.array(begun), np.array(ended))


def fixed_band(count: int) -> Numbers:
    """Tell every repair the same: the prior."""
    told = DurationModel().forecast()
    return np.tile([told.p10, told.p50, told.p90], (count, 1))


def running_median(history: History) -> Numbers:
    """Tell the quantiles of all repairs that had ended when one began."""
    forecasts = fixed_band(len(history.hours))
    for row, begun_h in enumerate(history.begun_h):
        over = history.hours[history.ended_h <= begun_h]
        if len(over) >= FEWEST_TO_COUNT:
            forecasts[row] = np.quantile(over, LEVELS)
    return forecasts


def read_history(path: Path) -> History:
    """Read a file of repairs; rows without both moments are counted and left out."""
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("gb18030")
    dialect = csv.Sniffer().sniff(text[:4096], delimiters=",;\t")
    rows = list(csv.DictReader(text.splitlines(), dialect=dialect))
    columns = list(rows[0]) if rows else []
    for name in ("reported_at", "restored_at"):
        if name not in columns:
            sys.exit(f"{path}: no column {name}; there are: {', '.join(columns)}")
    begun, ended = [], []
    for row in rows:
        reported, restored = _moment(row["reported_at"]), _moment(row["restored_at"])
        if reported is not None and restored is not None and restored > reported:
            begun.append(reported)
            ended.append(restored)
    if not begun:
        sys.exit(f"{path}: no row has both moments, one after the other")
    return History(
        np.array(begun),
        np.array(ended),
        tuple(name for name in columns if name not in {"reported_at", "restored_at"}),
        len(rows) - len(begun),
    )


FORMATS = ("%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y %I:%M:%S %p")


def _moment(text: str | None) -> float | None:
    """Read a moment in hours; without an offset, all are on one clock."""
    moment = _read((text or "").strip())
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return moment.timestamp() / 3600


def _read(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        pass
    for form in FORMATS:
        try:
            return dt.datetime.strptime(text, form)  # noqa: DTZ007 - a clock without an offset
        except ValueError:
            continue
    return None


if __name__ == "__main__":
    main()
