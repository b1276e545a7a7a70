"""Imports that land whole or not at all, and exports that give back what was imported."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fieldops import jobs
from fieldops.errors import ConflictError, FieldopsError, NotFoundError
from fieldops.network.queries import set_person
from fieldops.network_files import queries
from gis import formats
from gis.features import KINDS, FeatureSet
from gis.formats.sketch import sketch
from gis.topology import SNAP_M, place

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from fieldops.network_files.queries import Changes, Progress, SentFile
    from gis.findings import Finding, Report

LISTED_ABSENT = 1_000
"""So many ids that the file no longer has are listed a kind; all are counted."""


class RefusedError(FieldopsError):
    """The file holds errors; nothing of it was imported."""

    status = 422
    code = "import-refused"

    def __init__(self, report: ImportReport, features: FeatureSet | None = None) -> None:
        """Keep the report, which names every error, and what could be read to look at."""
        self.report = report
        self.features = features
        super().__init__(
            "The file was refused: %(count)s errors. Nothing was imported.",
            count=report.findings.total("error"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """
    What was read, guessed and wrong, and what that did to the network.

    `absent` are the stored features that the file does not have, by kind: kept, or deleted where
    the file replaced everything.
    """

    findings: Report
    read: dict[str, int]
    skipped: dict[str, int] = field(default_factory=dict)
    made_nodes: int = 0
    absent: dict[str, list[str]] = field(default_factory=dict)
    is_replacing: bool = False
    changes: dict[str, Changes] | None = None
    """None: nothing was written."""

    @property
    def is_refused(self) -> bool:
        """Whether an error keeps the file out."""
        return self.findings.has_errors

    def as_json(self, translate: Callable[[str], str] = str) -> dict[str, Any]:
        """Give the report as plain data, its sentences in the reader's language."""
        counts: dict[str, dict[str, int]] = {"guessed": {}, "wrong": {}, "error": {}}
        for (severity, code), count in sorted(self.findings.counts.items()):
            counts[severity][code] = count
        return {
            "landed": self.changes is not None,
            "refused": self.is_refused,
            "read": self.read,
            "skipped": self.skipped,
            "made_nodes": self.made_nodes,
            "guessed": counts["guessed"],
            "wrong": counts["wrong"],
            "errors": counts["error"],
            "findings": [describe(finding, translate) for finding in self.findings],
            "absent": {
                kind: {"count": len(ids), "ids": ids[:LISTED_ABSENT], "deleted": self.is_replacing}
                for kind, ids in self.absent.items()
            },
            "changes": None
            if self.changes is None
            else {
                kind: {
                    "inserted": change.inserted,
                    "updated": change.updated,
                    "deleted": change.deleted,
                }
                for kind, change in self.changes.items()
                if change.inserted or change.updated or change.deleted
            },
        }


def describe(finding: Finding, translate: Callable[[str], str] = str) -> dict[str, Any]:
    """Give a finding as plain data."""
    return {
        "code": finding.code,
        "severity": finding.severity,
        "kind": finding.kind,
        "id": finding.id,
        "lon": finding.lon,
        "lat": finding.lat,
        "text": finding.text(translate),
        "values": {name: _plain(value) for name, value in finding.values.items()},
    }


def _plain(value: object) -> object:
    return value if isinstance(value, int | float | str | None) else str(value)


def as_layer(findings: list[dict[str, Any]]) -> dict[str, Any]:
    """Give described findings that have a place as a GeoJSON layer; numbered in their order."""
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [finding["lon"], finding["lat"]]},
                "properties": {
                    "number": number,
                    **{name: finding[name] for name in ("code", "severity", "kind", "id", "text")},
                },
            }
            for number, finding in enumerate(findings)
            if finding["lon"] is not None
        ],
    }


def refused(error: formats.FormatError) -> RefusedError:
    """Say of a file that cannot even be read what is wrong with it."""
    return RefusedError(ImportReport(findings=error.report, read={}), error.features)


def no_progress(step: str, share: float) -> None:
    """Tell nobody how far the work is."""


def import_features(
    session: Session,
    features: FeatureSet,
    *,
    by: str,
    now: dt.datetime | None = None,
    snap_m: float = SNAP_M,
    is_replacing: bool = False,
    is_dry_run: bool = False,
    progress: Progress = no_progress,
) -> ImportReport:
    """
    Land the features of a file: those of its ids anew, all others as they are, or gone.

    The transaction should be REPEATABLE READ (`queries.isolate`), so that an edit made meanwhile
    is either kept or makes this fail, and is never written over.

    Raises
    ------
    RefusedError
        If the features do not fit together; nothing is written.
    ConflictError
        If another import is running.
    """
    read = {kind: len(getattr(features, f"{kind}s")) for kind in KINDS}
    if not is_dry_run and not queries.lock_imports(session):
        raise ConflictError("Another import is running; wait until it is done, and try again.")
    keys = {kind: queries.read_keys(session, kind) for kind in KINDS}
    absent = _absent(session, features, keys)
    if not is_replacing:
        _add_stored(session, features, keys, absent)
    progress("placing", 0.0)
    placement = place(features, snap_m)
    progress("placing", 1.0)
    report = ImportReport(
        findings=placement.report,
        read={kind: count for kind, count in read.items() if count},
        skipped=dict(features.skipped),
        made_nodes=sum(node.is_made for node in placement.nodes),
        absent=absent,
        is_replacing=is_replacing,
    )
    if report.is_refused:
        raise RefusedError(report)
    if is_dry_run:
        return report
    set_person(session, by, now)
    changes = queries.land(session, placement, keys, snap_m, progress)
    return ImportReport(
        findings=report.findings,
        read=report.read,
        skipped=report.skipped,
        made_nodes=report.made_nodes,
        absent=absent,
        is_replacing=is_replacing,
        changes=changes,
    )


def _absent(
    session: Session, features: FeatureSet, keys: dict[str, dict[str, int]]
) -> dict[str, list[str]]:
    """List what is stored and not in the file; nodes that no file gave do not count."""
    absent = {}
    for kind in KINDS:
        gone = keys[kind].keys() - {feature.id for feature in getattr(features, f"{kind}s")}
        if gone and kind == "node":
            gone -= queries.read_made_ids(session)
        if gone:
            absent[kind] = sorted(gone)
    return absent


def _add_stored(
    session: Session,
    features: FeatureSet,
    keys: dict[str, dict[str, int]],
    absent: dict[str, list[str]],
) -> None:
    """Put the stored features that the file does not have beside those of the file."""
    wanted = {kind: [keys[kind][id_] for id_ in ids] for kind, ids in absent.items()}
    if not wanted:
        return
    stored = queries.read_features(session, wanted)
    for kind in KINDS:
        getattr(features, f"{kind}s").extend(getattr(stored, f"{kind}s"))


def export_features(session: Session, progress: Progress = no_progress) -> FeatureSet:
    """Give the stored network as the features of a file; nodes that no file gave stay out."""
    features = queries.read_features(session, progress=progress)
    features.nodes = [node for node in features.nodes if not node.is_made]
    return features


# --- files sent through a browser ---


def send_file(
    session: Session,
    *,
    file_name: str,
    path: Path,
    options: dict[str, Any],
    by: str,
    now: dt.datetime,
) -> int:
    """Note a file that somebody sent, queue its check, and give its key."""
    key = queries.insert_sent_file(
        session, file_name=file_name, path=str(path), options=options, sent_at=now, sent_by=by
    )
    jobs.enqueue(session, "network_files.check", key=key)
    return key


def find_sent_file(session: Session, key: int) -> SentFile:
    """
    Give what became of a file.

    Raises
    ------
    NotFoundError
        If nobody sent it.
    """
    sent = queries.read_sent_file(session, key)
    if sent is None:
        raise NotFoundError("There is no import %(key)s.", key=key)
    return sent


def confirm_import(session: Session, key: int) -> None:
    """
    Queue the landing of a file that was checked.

    Raises
    ------
    NotFoundError
        If nobody sent it.
    ConflictError
        If it is not checked, is refused, or has landed already.
    """
    sent = queries.read_sent_file(session, key, is_for_update=True)
    if sent is None:
        raise NotFoundError("There is no import %(key)s.", key=key)
    if sent.status != "checked":
        raise ConflictError("This file is not waiting for a confirmation; look at its page again.")
    queries.update_sent_file(session, key, "landing")
    jobs.enqueue(session, "network_files.land", key=key)


def read_sent(path: Path, options: dict[str, Any], progress: Progress = no_progress) -> FeatureSet:
    """
    Read a file that somebody sent.

    Raises
    ------
    RefusedError
        If it cannot be read whole.
    """
    try:
        return formats.read(
            path,
            options.get("crs"),
            options.get("valves", "none"),
            lambda done, of: progress("reading", done / of if of else 1.0),
        )
    except formats.FormatError as error:
        raise refused(error) from error


def list_again(features: FeatureSet) -> FeatureSet:
    """List the features of a file apart, before the stored ones are put beside them."""
    listed = FeatureSet()
    for kind in KINDS:
        setattr(listed, f"{kind}s", list(getattr(features, f"{kind}s")))
    return listed


def path_of_preview(sent_path: str) -> Path:
    """Tell where the drawing of a sent file lies as long as it is of use."""
    return Path(sent_path).with_name("preview.geojson")


def draw_preview(sent_path: str, features: FeatureSet, report: dict[str, Any]) -> None:
    """Keep a drawing of a file for its page; whatever was found something about is on it."""
    wanted = {(finding["kind"], finding["id"]) for finding in report["findings"]}
    path_of_preview(sent_path).write_bytes(sketch(features, wanted))


def is_unchanged(report: ImportReport) -> bool:
    """Tell whether the database held everything already."""
    return report.changes is not None and not report.as_json()["changes"]
