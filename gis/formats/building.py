"""Makes features of what a reader has read, and says what is wrong with the rest."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from gis.features import FORMAT_NAMES, KINDS, PROPERTIES, RENAMED, FeatureSet
from gis.findings import Finding, Report

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails
    from pyproj import Transformer


class FormatError(ValueError):
    """
    A file that cannot be read whole.

    Attributes
    ----------
    report
        The findings that refuse it (`report.errors`), and the others made on the way.
    features
        Those that could be read, to be looked at and nothing else; None where nothing could.
    """

    def __init__(self, report: Report, features: FeatureSet | None = None) -> None:
        """Speak through the first of the errors."""
        self.report = report
        self.features = features
        errors = report.errors
        text = errors[0].text() if errors else "The file cannot be read."
        more = report.total("error") - 1
        super().__init__(f"{text} (and {more} more)" if more > 0 else text)

    @property
    def findings(self) -> list[Finding]:
        """The errors that are listed."""
        return self.report.errors


def refuse(code: str, **params: object) -> FormatError:
    """Make the error of a file that is wrong as a whole."""
    report = Report()
    report.add(Finding(code=code, severity="error", params=params))
    return FormatError(report)


_KNOWN = {
    kind: frozenset(FORMAT_NAMES.get(name, name) for name in names)
    for kind, names in PROPERTIES.items()
}
_REFERENCES = frozenset({"start_node", "end_node", "node", "pipe"})
_WHOLE = frozenset({"properties", "people"})
_SHAPES = {kind: KINDS[kind].shapes for kind in KINDS}
_VALIDATORS = {kind: KINDS[kind].__pydantic_validator__ for kind in KINDS}  # type: ignore[union-attr]
_MOST_SKIPPED = 1_000
_GEOMETRY = "geometry"

_LIST_NAMES = {kind: kind + "s" for kind in KINDS}


def show(value: object) -> str:
    """Give a value as it would stand in a file, cut to a readable length."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, TypeError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= 60 else text[:57] + "..."


class Builder:
    """
    Collects features and findings of one file.

    Parameters
    ----------
    transformer
        Brings the file's coordinates to WGS84; None where they are.
    """

    def __init__(self, transformer: Transformer | None = None) -> None:
        """Begin with nothing."""
        self.features = FeatureSet()
        self.report = Report()
        self._transformer = transformer
        self._skipped: Counter[str] = Counter()
        self._lists: dict[str, list[Any]] = {
            kind: getattr(self.features, name) for kind, name in _LIST_NAMES.items()
        }

    def add(
        self,
        kind: object,
        properties: dict[str, Any],
        shape: str | None,
        coordinates: Any,  # noqa: ANN401  # whatever the file holds
        index: int,
    ) -> None:
        """
        Take one feature.

        `properties` are those of the file but kind, and are changed here.
        """
        known = _KNOWN.get(kind) if isinstance(kind, str) else None
        if known is None:
            self._skip(kind, properties, index)
            return
        assert isinstance(kind, str)  # noqa: S101
        identifier = properties.get("id")
        if shape not in _SHAPES[kind]:
            shape, coordinates = _unwrap(shape, coordinates)
            if shape not in _SHAPES[kind]:
                self._refuse_shape(kind, identifier, shape, index)
                return
        points = [coordinates] if shape == "Point" else coordinates
        if (
            kind == "valve"
            and shape == "LineString"
            and isinstance(points, list)
            and not points[1:]
        ):
            self._error("geometry-too-short", kind, identifier, index)
            return
        _sort_out(properties, known)
        properties[_GEOMETRY] = points if self._transformer is None else self._to_wgs84(points)
        try:
            feature = _VALIDATORS[kind].validate_python(properties)
        except ValidationError:
            self._add_mended(kind, properties, index)
        else:
            self._lists[kind].append(feature)

    def finish(self) -> FeatureSet:
        """
        Give the features.

        Raises
        ------
        FormatError
            If any feature was refused.
        """
        for name, count in sorted(self._skipped.items()):
            self.report.add(
                Finding(
                    code="kind-unknown",
                    severity="wrong",
                    params={"name": name, "count": count},
                )
            )
        self.features.skipped = dict(self._skipped)
        if self.report.has_errors:
            raise FormatError(self.report, self.features)
        self.features.remarks = self.report
        return self.features

    def fail(
        self, code: str, index: int, kind: object = "", identifier: object = "", **params: object
    ) -> None:
        """Refuse one feature that cannot even be taken."""
        self._error(code, _word(kind), identifier, index, **params)

    def _skip(self, kind: object, properties: dict[str, Any], index: int) -> None:
        if not isinstance(kind, str) or not kind:
            self._error("kind-missing", "", properties.get("id"), index)
            return
        name = show(kind)[1:-1]
        if name not in self._skipped and len(self._skipped) >= _MOST_SKIPPED:
            name = "..."
        self._skipped[name] += 1

    def _to_wgs84(self, points: Any) -> Any:  # noqa: ANN401
        assert self._transformer is not None  # noqa: S101
        try:
            pairs = [(float(point[0]), float(point[1])) for point in points]
            lons, lats = self._transformer.transform(
                [lon for lon, _ in pairs], [lat for _, lat in pairs]
            )
        except (TypeError, ValueError, IndexError):
            return points  # the check of the coordinates says what is wrong
        return list(zip(lons, lats, strict=True))

    def _add_mended(self, kind: str, fields: dict[str, Any], index: int) -> None:
        """Try again without what is merely another way to write it, else say what is wrong."""
        was_number = _mend(fields)
        try:
            feature = _VALIDATORS[kind].validate_python(fields)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_context=True)[:20]:
                self._explain(kind, fields, detail, index)
            return
        self._lists[kind].append(feature)
        if was_number:
            self.report.add(
                Finding(
                    code="id-was-a-number",
                    severity="guessed",
                    kind=kind,
                    id=feature.id,
                    index=index,
                    lon=feature.geometry[0][0],
                    lat=feature.geometry[0][1],
                )
            )

    def _explain(self, kind: str, fields: dict[str, Any], detail: ErrorDetails, index: int) -> None:
        place = detail["loc"]
        name = str(place[0]) if place else ""
        identifier = fields.get("id")
        if name == _GEOMETRY:
            self._explain_geometry(kind, identifier, fields[_GEOMETRY], detail, index)
            return
        points = fields[_GEOMETRY]
        if name == "id":
            code = "id-missing" if identifier is None else "id-wrong"
            self._error(code, kind, identifier, index, at=points, value=show(identifier))
            return
        code, params = _explain_value(detail)
        self._error(
            code,
            kind,
            identifier,
            index,
            at=points,
            property=FORMAT_NAMES.get(name, name),
            value=show(detail["input"]),
            **params,
        )

    def _explain_geometry(
        self, kind: str, identifier: object, points: object, detail: ErrorDetails, index: int
    ) -> None:
        code = "coordinates-wrong"
        if detail["type"] in {"greater_than_equal", "less_than_equal"}:
            code = "coordinates-out-of-range"
        elif detail["type"] == "too_short" and isinstance(points, list) and len(points) < 2:
            code = "geometry-too-short"
        elif points is None:
            code = "geometry-missing"
        self._error(code, kind, identifier, index, at=points, value=show(detail["input"]))

    def _refuse_shape(self, kind: str, identifier: object, shape: str | None, index: int) -> None:
        code = "geometry-missing" if shape is None else "geometry-type"
        expected = " / ".join(_SHAPES[kind])
        self._error(code, kind, identifier, index, value=shape, expected=expected)

    def _error(
        self,
        code: str,
        kind: str,
        identifier: object,
        index: int,
        at: object = None,
        **params: object,
    ) -> None:
        lon, lat = _middle_place(at)
        self.report.add(
            Finding(
                code=code,
                severity="error",
                kind=kind,
                id=_word(identifier),
                lon=lon,
                lat=lat,
                index=index,
                params=params,
            )
        )


def _middle_place(points: object) -> tuple[float, float] | tuple[None, None]:
    """Find where to look for a feature that is drawn, if only in part: amid a line."""
    found = []
    for point in points if isinstance(points, list) else ():
        if not isinstance(point, list | tuple) or len(point) < 2:
            continue
        lon, lat = point[0], point[1]
        are_numbers = type(lon) in {int, float} and type(lat) in {int, float}
        if are_numbers and abs(lon) <= 180 and abs(lat) <= 90:
            found.append((float(lon), float(lat)))
    if not found:
        return None, None
    # A line's ends are its neighbours' ends, too, so that its faults would hide theirs.
    before, after = found[(len(found) - 1) // 2], found[len(found) // 2]
    return (before[0] + after[0]) / 2, (before[1] + after[1]) / 2


def _sort_out(properties: dict[str, Any], known: frozenset[str]) -> None:
    """Put what the format does not know into `extra`, and the rest under Python's names."""
    unknown = properties.keys() - known
    unknown.discard("id")
    if unknown:
        properties["extra"] = {name: properties.pop(name) for name in sorted(unknown)}
    for name, python in RENAMED.items():
        if name in properties:
            properties[python] = properties.pop(name)
    if "feeds" in properties:
        properties["feeds"] = _bare_feeds(properties["feeds"])


def _word(value: object) -> str:
    """Give an id for a message, whatever it is."""
    if value is None:
        return ""
    return value[:200] if isinstance(value, str) else show(value)


def _unwrap(shape: str | None, coordinates: Any) -> tuple[str | None, Any]:  # noqa: ANN401
    """Take a multi-geometry of one part, as desktop programs like to write, for that part."""
    if (
        shape in {"MultiPoint", "MultiLineString"}
        and isinstance(coordinates, list)
        and len(coordinates) == 1
    ):
        return shape.removeprefix("Multi"), coordinates[0]
    return shape, coordinates


def _bare_feeds(feeds: Any) -> Any:  # noqa: ANN401
    """Keep only what the format lets a feed say, one place each."""
    if not isinstance(feeds, list):
        return feeds
    bare = []
    for feed in feeds:
        if not isinstance(feed, dict):
            return "feeds"
        named = {
            name: str(feed[name]) if type(feed[name]) is int else feed[name]
            for name in ("pipe", "node")
            if feed.get(name) is not None and feed[name] != ""
        }
        if len(named) != 1:
            return "feeds"
        bare.append(named)
    return bare


def _mend(fields: dict[str, Any]) -> bool:
    """
    Bring to one form what files write in several.

    Null and "" mean "not recorded"; a number may serve as an id; 3.0 is a
    whole number; a third coordinate is height and is left out.

    Returns
    -------
    bool
        Whether the id was a number.
    """
    for name in list(fields):
        value = fields[name]
        if name not in {"id", _GEOMETRY, "extra"} and (value is None or value == ""):
            del fields[name]
        elif name in _REFERENCES and type(value) is int:
            fields[name] = str(value)
        elif name in _WHOLE and isinstance(value, float) and value.is_integer():
            fields[name] = int(value)
        elif name == "critical" and isinstance(value, bool):
            fields[name] = "critical" if value else None
    points = fields[_GEOMETRY]
    if isinstance(points, list):
        fields[_GEOMETRY] = [
            point[:2] if isinstance(point, list | tuple) and len(point) in {3, 4} else point
            for point in points
        ]
    if type(fields.get("id")) is int:
        fields["id"] = str(fields["id"])
        return True
    return False


def _explain_value(detail: ErrorDetails) -> tuple[str, dict[str, object]]:
    """Give the code for what pydantic found, and the values of its message."""
    kind = detail["type"]
    context = detail.get("ctx", {})
    simple = {
        "missing": "property-missing",
        "float_type": "property-not-number",
        "finite_number": "property-not-number",
        "int_type": "property-not-whole",
        "int_from_float": "property-not-whole",
        "bool_type": "property-not-boolean",
        "string_type": "property-not-text",
        "value_error": "property-not-date",
    }
    limits = {"greater_than": ">", "greater_than_equal": ">=", "less_than_equal": "<="}
    if kind in simple:
        return simple[kind], {}
    if kind in limits:
        bound = next(iter(context.values()), "")
        return "property-out-of-range", {"limit": f"{limits[kind]} {bound:g}"}
    if kind == "literal_error":
        return "property-not-one-of", {"expected": str(context.get("expected", ""))}
    return "property-wrong", {}
