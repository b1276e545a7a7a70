"""Text of which nobody said how it is encoded."""

from __future__ import annotations

import codecs

_CHINESE = "gb18030"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode_text(data: bytes) -> str | None:
    """
    Decode by the byte-order mark, else as strict UTF-8, else as strict GB18030.

    Returns
    -------
    str or None
        The text, or None where it is none of these.
    """
    names = [name for mark, name in _BOMS if data.startswith(mark)][:1] or ["utf-8", _CHINESE]
    for name in names:
        try:
            return data.decode(name)
        except UnicodeError:
            continue
    return None
