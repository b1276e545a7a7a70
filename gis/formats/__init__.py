"""Readers and writers of network files, one module a format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gis.formats.building import FormatError, refuse
from gis.formats.geojson import read_geojson, write_geojson

if TYPE_CHECKING:
    from collections.abc import Callable

    from gis.features import FeatureSet
    from gis.findings import Finding

    Progress = Callable[[int, int], None]

__all__ = ["ENDINGS", "FormatError", "read", "write"]

ENDINGS = (".geojson", ".json", ".inp", ".gpkg", ".shp", ".zip")
"""Endings of the files that can be read and written; a .zip holds shapefiles."""

AssumedValves = Literal["none", "ends"]


def read(
    path: str | Path,
    crs: str | None = None,
    valves: AssumedValves = "none",
    progress: Progress | None = None,
) -> FeatureSet:
    """
    Read a network in the format that the file's ending names.

    Parameters
    ----------
    path
        The file.
    crs
        Its coordinate system as "EPSG:n", where it is not WGS84 or does not say.
    valves
        For formats without isolation valves: "ends" assumes one at both ends of every pipe.
    progress
        Called now and then with the number of features read and of all.

    Returns
    -------
    FeatureSet
        Features checked one by one; `gis.topology.place` checks them against each other.

    Raises
    ------
    FormatError
        With everything that is wrong in the file.
    """
    path = Path(path)
    ending = _ending(path)
    if ending in {".geojson", ".json"}:
        return read_geojson(path, crs=crs, progress=progress)
    # The libraries behind the other formats are heavy and loaded when they are needed.
    if ending == ".inp":
        from gis.formats.epanet import read_epanet  # noqa: PLC0415

        return read_epanet(path, crs=crs, valves=valves)
    from gis.formats.tables import read_geopackage, read_shapefile  # noqa: PLC0415

    if ending == ".gpkg":
        return read_geopackage(path, crs=crs, progress=progress)
    return read_shapefile(path, crs=crs, progress=progress)


def write(path: str | Path, features: FeatureSet) -> list[Finding]:
    """
    Write a network in the format that the file's ending names.

    Returns
    -------
    list
        What the format could not carry.

    Raises
    ------
    FormatError
        If the ending names no format.
    """
    path = Path(path)
    ending = _ending(path)
    if ending in {".geojson", ".json"}:
        write_geojson(path, features)
        return []
    if ending == ".inp":
        from gis.formats.epanet_writing import write_epanet  # noqa: PLC0415

        return write_epanet(path, features)
    from gis.formats.tables import write_geopackage, write_shapefile  # noqa: PLC0415

    if ending == ".gpkg":
        write_geopackage(path, features)
        return []
    return write_shapefile(path, features)


def _ending(path: Path) -> str:
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise refuse("file-ending-unknown", file=path.name, endings=" ".join(ENDINGS))
    return ending
