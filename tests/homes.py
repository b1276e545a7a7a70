"""Folders for whole installations: pytest's own are closed to the user that runs PostgreSQL."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fieldops.embedded_postgres import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def empty_folder() -> Iterator[Path]:
    """Give a folder that anybody may pass through, and remove it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="fieldops-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def cluster_at(home: Path) -> Iterator[Cluster]:
    """Give the cluster of a home, and remove every trace of it at the end."""
    said: list[str] = []
    cluster = Cluster(home, is_hasty=True, say=said.append)
    try:
        yield cluster
    finally:
        if cluster.data.exists():
            cluster.stop()
        shutil.rmtree(cluster.folder)
        shutil.rmtree(cluster.socket_folder, ignore_errors=True)


def processes_of(home: Path) -> set[int]:
    """Find every process of ours that serves a home, and its database's."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if bytes(home) in environment or bytes(home) in command:
            found.add(int(folder.name))
    return found - {os.getpid()}
