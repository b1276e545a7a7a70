"""Settings, read once from the environment and never changed."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECKOUT = Path(__file__).resolve().parents[1]


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
    basemap: Path | None = None
    """A PMTiles file to draw below the network."""
    tianditu_key: str | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read every setting; what is not set has a safe default."""
        home = Path(environ.get("FIELDOPS_HOME") or CHECKOUT / ".fieldops").absolute()
        basemap = environ.get("FIELDOPS_BASEMAP")
        return cls(
            home=home,
            database_url=environ.get("FIELDOPS_DATABASE_URL") or None,
            secret_key=environ.get("FIELDOPS_SECRET_KEY") or keep_secret(home / "secret_key"),
            is_demo=environ.get("FIELDOPS_DEMO", "") == "1",
            host=environ.get("HOST") or "127.0.0.1",
            port=int(environ.get("PORT") or 8000),
            basemap=Path(basemap) if basemap else None,
            tianditu_key=environ.get("FIELDOPS_TIANDITU_KEY") or None,
        )


def keep_secret(path: Path) -> str:
    """Read the secret of this home, or make one the first time."""
    try:
        return path.read_text()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
        return path.read_text()
