"""
GeoPackage and Shapefile, through GDAL (pyogrio): one layer or file a kind.

Layers and files are named after their kind; a column `kind` says it row by row
instead. What the format does not know stands together as JSON in a column
`extra`, and so do the feeds of a customer.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import warnings
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
import pyogrio
import shapely
from pyogrio import raw

from gis.features import FORMAT_NAMES, KINDS, PROPERTIES
from gis.findings import Finding
from gis.formats.building import Builder, refuse, show
from gis.formats.crs import transformer_from
from gis.formats.geojson import properties_to_write
from gis.formats.shapefile import decoder_of, unpacked
from gis.memory import without_collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from gis.features import Feature, FeatureSet

    Progress = Callable[[int, int], None]

_LONGEST_NAME = 10
_LONGEST_TEXT = 254
_SHORT = {
    "elevation_m": "elev_m",
    "demand_m3_day": "demand_m3d",
    "diameter_mm": "diam_mm",
    "roughness_mm": "rough_mm",
    "operability": "operable",
    "last_exercised_on": "exercised",
    "demand_l_per_property_day": "demand_lpd",
    "building_tank_m3": "tank_m3",
}
"""Names too long for a shapefile, which allows ten letters."""

_TYPES = {
    kind: {
        FORMAT_NAMES.get(entry.name, entry.name): str(entry.type).split(" ")[0]
        for entry in fields(KINDS[kind])
        if entry.name in PROPERTIES[kind]
    }
    for kind in KINDS
}
_NUMBERS = frozenset({"Number", "Amount", "Positive"})
_TRUE = frozenset({"true", "t", "yes", "y", "1", "1.0"})
_FALSE = frozenset({"false", "f", "no", "n", "0", "0.0"})
_BEGINNINGS = {".gpkg": b"SQLite format 3\0", ".shp": b"\0\0\x27\x0a", ".zip": b"PK"}
_MADE_AT = "2000-01-01T00:00:00Z"
"""Stands in a GeoPackage as its date, so that the same network gives the same file."""


def read_geopackage(
    path: str | Path, crs: str | None = None, progress: Progress | None = None
) -> FeatureSet:
    """
    Read a network from the layers of a GeoPackage.

    Parameters
    ----------
    path
        The file.
    crs
        Coordinate system to take instead of the one that a layer names.
    progress
        Called now and then with the number of features read and of all.

    Raises
    ------
    FormatError
        With everything that is wrong in it.
    """
    path = Path(path)
    _check(path)
    layers = [str(name) for name in _ask(path, pyogrio.list_layers)[:, 0]]
    reading = _Reading(crs, progress)
    with without_collector():
        for layer in layers:
            reading.take(path, layer, layer)
    return reading.finish()


def read_shapefile(
    path: str | Path, crs: str | None = None, progress: Progress | None = None
) -> FeatureSet:
    """
    Read a network from shapefiles.

    Parameters
    ----------
    path
        One of the files `<name>_<kind>.shp`, all of which are read; or one whose column `kind`
        says what its rows are; or a .zip of such files.
    crs
        Coordinate system to take instead of the one in the .prj files.
    progress
        Called now and then with the number of features read and of all.

    Raises
    ------
    FormatError
        With everything that is wrong in them.
    """
    path = Path(path)
    _check(path)
    reading = _Reading(crs, progress)
    with without_collector():
        if path.suffix.lower() == ".zip":
            with unpacked(path) as files:
                for file in files:
                    reading.take(file, file.stem, file.stem)
        else:
            for file in _siblings(path):
                reading.take(file, file.stem, file.stem)
    return reading.finish()


def write_geopackage(path: str | Path, features: FeatureSet) -> None:
    """Write a network with one layer a kind; of what was guessed, as `write_geojson`."""
    path = Path(path)
    path.unlink(missing_ok=True)
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _MADE_AT})
    try:
        for kind in KINDS:
            rows = _sorted(features, kind)
            if rows:
                shape = "Unknown" if len(KINDS[kind].shapes) > 1 else KINDS[kind].shapes[0]
                _write(path, "GPKG", kind, kind, rows, shape)
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def write_shapefile(path: str | Path, features: FeatureSet) -> list[Finding]:
    """
    Write a network as `<name>_<kind>.shp` beside `path`, or all of them into a .zip.

    Returns
    -------
    list
        What a shapefile cannot carry: texts of more than 254 bytes.
    """
    path = Path(path)
    lost: list[Finding] = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, shape, rows in _by_shape(features):
            ending = f"{kind}_link" if kind == "valve" and shape == "LineString" else kind
            file = Path(folder) / f"{path.stem}_{ending}.shp"
            lost += _write(file, "ESRI Shapefile", file.stem, kind, rows, shape)
        files = sorted(Path(folder).iterdir())
        if path.suffix.lower() == ".zip":
            _pack(path, files)
        else:
            for file in files:
                shutil.move(file, path.parent / file.name)
    return lost


class _Reading:
    """Takes one layer after the other."""

    def __init__(self, crs: str | None, progress: Progress | None) -> None:
        self.crs = crs
        self.progress = progress
        self.builder = Builder()
        self.count = 0

    def take(self, path: Path, layer: str, name: str) -> None:
        """Read all rows of a layer; its kind is in its name unless a column says it."""
        _check(path)
        decoder = decoder_of(path)
        decode = decoder.decode
        meta, _, geometry, columns = _ask(
            path, lambda file: raw.read(file, layer=layer, **decoder.options)
        )
        names = [decode(str(field)) for field in meta["fields"]]
        kind = _kind_of(name)
        if "kind" not in names and kind is None:
            self._skip(name, len(columns[0]) if columns else len(geometry or ()))
            return
        if geometry is None:
            raise refuse("table-no-geometry", layer=name)
        table = [_plain(column, decode) for column in columns]
        shapes = shapely.force_2d(shapely.from_wkb(geometry, on_invalid="ignore"))
        crs = self.crs or meta["crs"]
        self._take_rows(names, table, _to_wgs84(shapes, crs), kind)

    def finish(self) -> FeatureSet:
        """Give the features, or refuse them all."""
        if self.progress is not None:
            self.progress(self.count, self.count)
        return self.builder.finish()

    def _take_rows(
        self,
        names: list[str],
        table: list[list[Any]],
        shapes: NDArray[np.object_],
        kind: str | None,
    ) -> None:
        total = self.count + len(shapes)
        full_names: dict[str | None, list[str]] = {}
        for at, shape in enumerate(shapes):
            row = [column[at] for column in table]
            given = dict(zip(names, row, strict=True))
            own = str(given.pop("kind")) if given.get("kind") is not None else kind
            if own not in full_names:
                full_names[own] = [_full_name(own, name) for name in names]
            properties: dict[str, Any] = {}
            for name, value in zip(full_names[own], row, strict=True):
                if name != "kind" and value is not None:
                    properties[name] = _convert(own, name, value)
            _unpack_json(properties)
            drawn, coordinates = _geometry(shape)
            self.builder.add(own, properties, drawn, coordinates, self.count)
            self.count += 1
            if self.progress is not None and self.count % 10_000 == 0:
                self.progress(self.count, total)

    def _skip(self, name: str, rows: int) -> None:
        for _ in range(rows):
            self.builder.add(name, {}, None, None, self.count)
            self.count += 1


def _check(path: Path) -> None:
    """
    Look at a file's first bytes before GDAL does.

    GDAL goes by content, and would follow a file of another format, whatever
    its ending, to other files of this machine or into the network.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(16)
    except FileNotFoundError:
        raise refuse("file-missing", file=path.name) from None
    except OSError as error:
        raise refuse("file-unreadable", file=path.name, reason=error.strerror) from None
    if not begin:
        raise refuse("file-empty")
    if not begin.startswith(_BEGINNINGS[path.suffix.lower()]):
        raise refuse("file-of-another-format", file=path.name)


def _ask(path: Path, question: Callable[[Path], Any]) -> Any:  # noqa: ANN401  # pyogrio has no types
    """Ask GDAL, without its warnings and with errors that name no path of this machine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return question(path)
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
            reason = str(error).replace(str(path), path.name).split(";")[0][:200]
        except (pyogrio.errors.FeatureError, pyogrio.errors.GeometryError, ValueError) as error:
            reason = str(error).replace(str(path), path.name)[:200]
    raise refuse("file-unreadable", file=path.name, reason=reason)


def _siblings(path: Path) -> list[Path]:
    """Give all files of a network of which one was named."""
    match = re.fullmatch(r"(.+)_(" + "|".join((*KINDS, "valve_link")) + ")", path.stem)
    if match is None:
        return [path]
    stem = re.escape(match[1])
    kinds = "|".join((*KINDS, "valve_link"))
    return sorted(
        file
        for file in path.parent.iterdir()
        if re.fullmatch(rf"{stem}_({kinds})", file.stem) and file.suffix.lower() == ".shp"
    )


def _kind_of(name: str) -> str | None:
    """Find the kind in the name of a layer or file: "pipe", "Pipes", "town_pipe"."""
    word = name.lower()
    for kind in sorted(KINDS, key=len, reverse=True):
        if re.search(rf"(?:^|[_\-. ]){kind}s?(?:_link)?$", word):
            return kind
    return None


def _full_name(kind: str | None, name: str) -> str:
    """Give a property its full name back."""
    for full in _TYPES.get(kind or "", ()):
        if name in {full, _SHORT.get(full), full[:_LONGEST_NAME]}:
            return full
    return name


def _plain(column: NDArray[Any], decode: Callable[[str], str]) -> list[Any]:
    """Turn a column into Python's values, None where there is none."""
    if column.dtype.kind == "M":
        texts = np.datetime_as_string(column)
        return [None if text == "NaT" else str(text)[:10] for text in texts]
    if column.dtype.kind == "f":
        return [None if value != value else value for value in column.tolist()]  # noqa: PLR0124
    if column.dtype.kind == "O":
        # No database keeps NUL in a text.
        return [
            decode(value).replace("\0", "") if isinstance(value, str) else value
            for value in column.tolist()
        ]
    values: list[Any] = column.tolist()
    return values


def _convert(kind: str | None, name: str, value: Any) -> Any:  # noqa: ANN401
    """Bring a cell to the type of the format where the table has none such."""
    wanted = _TYPES.get(kind or "", {}).get(name)
    if wanted == "Flag":
        word = str(value).strip().lower()
        return True if word in _TRUE else False if word in _FALSE else value
    if wanted in _NUMBERS and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    if (wanted in {"Text", "Id", "Date"} or name == "id") and isinstance(value, int | float):
        is_whole = isinstance(value, int) or value.is_integer()
        return str(int(value)) if is_whole else str(value)
    return value


def _unpack_json(properties: dict[str, Any]) -> None:
    for name in ("feeds", "extra"):
        text = properties.get(name)
        if isinstance(text, str) and text[:1] in {"[", "{"}:
            try:
                properties[name] = json.loads(text)
            except (ValueError, RecursionError):
                continue
    if isinstance(properties.get("extra"), dict):
        for name, value in properties.pop("extra").items():
            properties.setdefault(str(name), value)


def _to_wgs84(shapes: NDArray[np.object_], crs: str | None) -> NDArray[np.object_]:
    transformer = transformer_from(crs)
    if transformer is None:
        return shapes
    return np.asarray(
        shapely.transform(
            shapes, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))
        ),
        dtype=object,
    )


def _geometry(shape: Any) -> tuple[str | None, Any]:  # noqa: ANN401
    """Give type and coordinates as GeoJSON has them; a multi-geometry of one part is that part."""
    if shape is None or shapely.is_empty(shape):
        return None, None
    if shape.geom_type.startswith("Multi") and len(shape.geoms) == 1:
        shape = shape.geoms[0]
    if shape.geom_type not in {"Point", "LineString"}:
        return shape.geom_type, None
    pairs = [(float(x), float(y)) for x, y in shapely.get_coordinates(shape)]
    return shape.geom_type, pairs[0] if shape.geom_type == "Point" else pairs


def _sorted(features: FeatureSet, kind: str) -> list[Any]:
    rows: Sequence[Feature] = getattr(features, kind + "s")
    return sorted(rows, key=lambda feature: feature.id)


def _by_shape(features: FeatureSet) -> Iterator[tuple[str, str, list[Any]]]:
    """Divide the features as shapefiles must: one shape a file."""
    for kind in KINDS:
        groups: dict[str, list[Any]] = defaultdict(list)
        for feature in _sorted(features, kind):
            groups["Point" if len(feature.geometry) == 1 else "LineString"].append(feature)
        for shape, rows in sorted(groups.items()):
            yield kind, shape, rows


def _write(
    path: Path, driver: str, layer: str, kind: str, rows: list[Any], shape: str
) -> list[Finding]:
    is_shapefile = driver != "GPKG"
    given = [_row(feature, kind) for feature in rows]
    names = ["id", *_TYPES[kind], "extra"]
    names = [name for name in names if any(name in row for row in given)]
    data, masks, lost = [], [], []
    for name in names:
        values = [row.get(name) for row in given]
        column, mask = _column(_TYPES[kind].get(name, "Text"), values)
        data.append(column)
        masks.append(mask)
        if is_shapefile and column.dtype == object:
            lost += _too_long(kind, rows, name, values)
    geometry = np.array(
        [
            shapely.to_wkb(
                shapely.Point(feature.geometry[0])
                if len(feature.geometry) == 1
                else shapely.LineString(feature.geometry)
            )
            for feature in rows
        ],
        dtype=object,
    )
    with _quietly():
        raw.write(
            path,
            geometry,
            data,
            [_SHORT.get(name, name) if is_shapefile else name for name in names],
            field_mask=masks,
            layer=layer,
            driver=driver,
            geometry_type=shape,
            crs="EPSG:4326",
            encoding="UTF-8",
            append=False,
        )
    return lost


@contextmanager
def _quietly() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _row(feature: Feature, kind: str) -> dict[str, Any]:
    given = {"id": feature.id, **properties_to_write(feature)}
    extra = {name: given.pop(name) for name in list(given) if name not in {"id", *_TYPES[kind]}}
    if extra:
        given["extra"] = json.dumps(extra, ensure_ascii=False, sort_keys=True)
    if "feeds" in given:
        given["feeds"] = json.dumps(given["feeds"], ensure_ascii=False)
    return given


def _column(wanted: str, values: list[Any]) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Lay out a column, with a mask of its empty cells where it has a type without them."""
    mask = np.array([value is None for value in values], dtype=bool)
    if wanted in _NUMBERS:
        numbers = [np.nan if value is None else value for value in values]
        return np.array(numbers, dtype=np.float64), mask
    if wanted == "Count":
        return np.array([value or 0 for value in values], dtype=np.int64), mask
    if wanted == "Flag":
        return np.array([bool(value) for value in values], dtype=bool), mask
    return np.array([None if v is None else str(v) for v in values], dtype=object), mask


def _too_long(kind: str, rows: list[Any], name: str, values: list[Any]) -> list[Finding]:
    return [
        Finding(
            code="shapefile-text-cut",
            severity="wrong",
            kind=kind,
            id=feature.id,
            lon=feature.geometry[0][0],
            lat=feature.geometry[0][1],
            params={"property": name, "value": show(value)},
        )
        for feature, value in zip(rows, values, strict=True)
        if value is not None and len(str(value).encode()) > _LONGEST_TEXT
    ]


def _pack(path: Path, files: list[Path]) -> None:
    """Put files into a zip whose bytes depend on nothing but them."""
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for file in files:
            with archive.open(ZipInfo(file.name, (2000, 1, 1, 0, 0, 0)), "w") as inside:
                inside.write(file.read_bytes())
