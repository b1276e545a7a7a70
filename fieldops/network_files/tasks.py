"""The work on files that people sent: read, check, land."""

from __future__ import annotations

import datetime as dt
import logging
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fieldops import jobs
from fieldops.errors import FieldopsError
from fieldops.network_files import queries, service

if TYPE_CHECKING:
    from fieldops.network_files.queries import SentFile

logger = logging.getLogger(__name__)

KEPT_S = 30 * 86_400
"""A file that nobody confirmed goes after so long."""


@jobs.task("network_files.check")
def check(key: int) -> None:
    """Read a file and say what it holds, changing nothing."""
    _work(key, is_dry_run=True)


@jobs.task("network_files.land")
def land(key: int) -> None:
    """Bring a file that somebody confirmed into the network."""
    _work(key, is_dry_run=False)


def _work(key: int, *, is_dry_run: bool) -> None:
    with jobs.transaction() as session:
        sent = service.find_sent_file(session, key)
        if is_dry_run:
            queries.update_sent_file(session, key, "checking")
    status, report = _try(sent, is_dry_run=is_dry_run)
    with jobs.transaction() as session:
        queries.end_sent_file(session, key, status, report, dt.datetime.now(dt.UTC))
    path = Path(sent.path)
    if status == "refused":
        path.unlink(missing_ok=True)  # its drawing stays: the page shows the errors on it
    elif status != "checked":
        shutil.rmtree(path.parent, ignore_errors=True)
    _forget_old_files(path.parents[1])


def _forget_old_files(uploads: Path) -> None:
    """Remove what was checked and never confirmed, and drawings of what was refused."""
    for folder in uploads.iterdir():
        if folder.is_dir() and time.time() - folder.stat().st_mtime > KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)


def _try(sent: SentFile, *, is_dry_run: bool) -> tuple[str, dict[str, Any]]:
    """Work on the file; whatever goes wrong belongs on its page."""
    options = sent.options

    def note(step: str, share: float) -> None:
        with jobs.transaction() as session:
            queries.update_progress(session, sent.key, step, share)

    drawn = None
    try:
        features = service.read_sent(Path(sent.path), options, note)
        drawn = service.list_again(features)
        with queries.careful(), jobs.transaction() as session:
            queries.isolate(session)
            report = service.import_features(
                session,
                features,
                by=sent.sent_by,
                now=dt.datetime.now(dt.UTC),
                snap_m=options["snap_m"],
                is_replacing=options["replace"],
                is_dry_run=is_dry_run,
                progress=note,
            )
    except service.RefusedError as error:
        described = error.report.as_json()
        drawn = drawn or error.features
        if is_dry_run and drawn is not None:
            service.draw_preview(sent.path, drawn, described)
        return "refused", described
    except FieldopsError as error:
        return "failed", {
            "msgid": error.msgid,
            "params": {k: str(v) for k, v in error.params.items()},
        }
    except Exception:
        logger.exception("import %s failed", sent.key)
        return "failed", {
            "msgid": "An error in fieldops itself; it was written down. Nothing was imported.",
            "params": {},
        }
    described = report.as_json()
    if is_dry_run:
        service.draw_preview(sent.path, drawn, described)
    return ("checked" if is_dry_run else "landed"), described
