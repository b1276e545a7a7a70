"""How the tablet's page describes itself to a browser that installs it."""

from __future__ import annotations

import json

from fieldops.tablet.service import ICON_SIZES, SHELL

ICON_ADDRESS = "/tablet/icon-{size}.png"
MANIFEST = {
    "id": SHELL,
    "start_url": SHELL,
    "scope": SHELL,
    # One file for both languages, as a device installs it once and its crew may read either.
    "name": "fieldops 抢修平板 · crew tablet",
    "short_name": "fieldops",
    "description": "没有信号也能用的抢修页面。 The crew's page, which works without signal.",
    "lang": "zh-CN",
    "dir": "ltr",
    "display": "standalone",
    "orientation": "any",
    "background_color": "#F4F6F7",
    "theme_color": "#1B2B36",
    "icons": [
        {
            "src": ICON_ADDRESS.format(size=size),
            "sizes": f"{size}x{size}",
            "type": "image/png",
            "purpose": purpose,
        }
        for size in ICON_SIZES
        for purpose in ("any", "maskable")
    ],
}


def write_manifest() -> bytes:
    """Give the manifest as it is served and kept."""
    return json.dumps(MANIFEST, ensure_ascii=False, indent=1).encode()
