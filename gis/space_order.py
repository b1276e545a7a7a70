"""An order in which what lies near in the town lies near in the arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

_SPREAD = (
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)


def space_order(x: Numbers, y: Numbers) -> NDArray[np.int64]:
    """
    Order places along a curve that keeps neighbours together.

    Parameters
    ----------
    x, y
        Coordinates in any unit, the same for both. Shape (places,).

    Returns
    -------
    NDArray[np.int64]
        Rows in the order of the curve; equal places in the order given.

    Notes
    -----
    The bits of both coordinates interleaved, after Morton (1966), "A computer
    oriented geodetic data base and a new technique in file sequencing", IBM.
    """
    if not len(x):
        return np.empty(0, dtype=np.int64)
    low = np.array([x.min(), y.min()])
    span = max(float(np.max([x.max(), y.max()] - low)), np.finfo(np.float64).tiny)
    steps = [
        ((values - least) / span * 0xFFFFFFFF) for values, least in zip((x, y), low, strict=True)
    ]
    code = _spread(steps[0].astype(np.uint64)) | (
        _spread(steps[1].astype(np.uint64)) << np.uint64(1)
    )
    return np.argsort(code, kind="stable")


def _spread(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Put a zero bit before every bit."""
    for shift, mask in _SPREAD:
        values = (values | (values << np.uint64(shift))) & np.uint64(mask)
    return values
