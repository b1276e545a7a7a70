"""Coordinates of other systems, brought to WGS84."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import pyproj
from pyproj.exceptions import CRSError

from gis.formats.building import refuse

if TYPE_CHECKING:
    from pyproj import CRS, Transformer

_SHIFTLESS = ("xian 1980", "xian 80", "xi'an 80", "beijing 1954", "beijing 54", "new beijing")
"""Chinese systems for which PROJ silently takes a shift of zero, 50 to 150 m wrong."""

_SAME = frozenset({4326, 4979, 4490, 4480, 4269})
"""WGS84 and what lies within a metre or so of it: CGCS2000 (China), NAD83."""


def transformer_from(crs: str | CRS | None) -> Transformer | None:
    """
    Give what brings coordinates in `crs` to WGS84, or None where they are in it.

    Raises
    ------
    FormatError
        If the system is not known, or cannot be transformed truthfully.
    """
    if crs is None:
        return None
    return _transformer(crs if isinstance(crs, str) else crs.to_wkt())


@lru_cache(maxsize=16)
def _transformer(text: str) -> Transformer | None:
    try:
        system = pyproj.CRS.from_user_input(text)
    except CRSError:
        raise refuse("crs-unknown", crs=text[:80]) from None
    words = _words(system)
    if any(name in words for name in _SHIFTLESS) and not _has_shift(system):
        raise refuse("crs-needs-parameters", crs=system.name)
    if system.is_geographic and system.to_epsg() in _SAME:
        return None
    try:
        return pyproj.Transformer.from_crs(system, "EPSG:4326", always_xy=True)
    except pyproj.exceptions.ProjError:
        raise refuse("crs-unknown", crs=text[:80]) from None


def _words(system: CRS) -> str:
    """Name the system, what it is projected from and its datum, in lower case with spaces."""
    parts = [system.name, system.datum.name if system.datum else ""]
    for inner in (system.source_crs, system.geodetic_crs):
        if inner is not None:
            parts += [inner.name, inner.datum.name if inner.datum else ""]
    return " ".join(parts).lower().replace("_", " ").replace("  ", " ")


def _has_shift(system: CRS) -> bool:
    """Whether the definition itself carries the parameters (TOWGS84) of the survey."""
    if not system.is_bound or system.coordinate_operation is None:
        return False
    return any(abs(value) > 0 for value in system.coordinate_operation.towgs84)
