"""Settings, read once from the environment and never changed."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from fieldops.errors import FieldopsError

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECKOUT = Path(__file__).resolve().parents[1]
MOST_STREAMS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a deployment may choose; `FIELDOPS_<NAME>` sets `<name>`."""

    home: Path
    database_url: str | None = None
    """None: the private database under `home`."""
    secret_key: str
    is_demo: bool = False
    """Demo people exist and a visitor from this machine is signed in as the demo dispatcher."""
    host: str = "127.0.0.1"
    port: int = 8000
    proxies: int = 0
    """So many reverse proxies stand in front, each telling whom it answers by X-Forwarded-For."""
    basemap: Path | None = None
    """A PMTiles file to draw below the network."""
    tianditu_key: str | None = None
    streams: int = 500
    """So many screens may listen to one web process at a time; each holds a thread."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """
        Read every setting; what is not set has a safe default.

        Raises
        ------
        FieldopsError
            If PORT is no port, FIELDOPS_PROXIES or FIELDOPS_STREAMS no number of them, or the home
            cannot be written.
        """
        home = Path(environ.get("FIELDOPS_HOME") or CHECKOUT / ".fieldops").absolute()
        basemap = environ.get("FIELDOPS_BASEMAP")
        return cls(
            home=home,
            database_url=environ.get("FIELDOPS_DATABASE_URL") or None,
            secret_key=environ.get("FIELDOPS_SECRET_KEY") or keep_secret(home / "secret_key"),
            is_demo=environ.get("FIELDOPS_DEMO", "") == "1",
            host=environ.get("FIELDOPS_HOST") or "127.0.0.1",
            port=read_port(environ.get("PORT") or "8000"),
            proxies=read_proxies(environ.get("FIELDOPS_PROXIES") or "0"),
            basemap=Path(basemap) if basemap else None,
            tianditu_key=environ.get("FIELDOPS_TIANDITU_KEY") or None,
            streams=read_streams(environ.get("FIELDOPS_STREAMS") or "500"),
        )


def read_port(text: str) -> int:
    """Read the number of a TCP port."""
    if text.isascii() and text.isdigit() and 0 < int(text) < 65536:
        return int(text)
    raise FieldopsError(
        "PORT is %(text)r, which is no port: set a number from 1 to 65535", text=text
    )


def read_proxies(text: str) -> int:
    """Read how many proxies stand in front."""
    if text in {"0", "1", "2", "3"}:
        return int(text)
    raise FieldopsError("FIELDOPS_PROXIES is %(text)r: set a number from 0 to 3", text=text)


def read_streams(text: str) -> int:
    """Read how many screens may listen at a time."""
    if text.isascii() and text.isdigit() and 0 < int(text) <= MOST_STREAMS:
        return int(text)
    raise FieldopsError(
        "FIELDOPS_STREAMS is %(text)r: set a number from 1 to %(most)s",
        text=text,
        most=MOST_STREAMS,
    )


def keep_secret(path: Path) -> str:
    """Read the secret kept at `path`, or make one the first time; two at once agree on one."""
    try:
        return path.read_text()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _unusable(path, error) from error
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        make_home(path.parent)
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first: its secret is the one
        finally:
            draft.unlink()
    except OSError as error:
        raise _unusable(path, error) from error
    return path.read_text()


def make_home(folder: Path) -> None:
    """Make a home that others may pass through, to the database's own folder, but not list."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)


def _unusable(path: Path, error: OSError) -> FieldopsError:
    return FieldopsError(
        "%(path)s cannot be used (%(reason)s): set FIELDOPS_HOME to a folder that you may write",
        path=path,
        reason=error.strerror or error,
    )
