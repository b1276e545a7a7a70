"""What a screen may ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fieldops.errors import FieldopsError

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_EVENTS = 1000
WHOLE_NUMBER = '"%(name)s" must be a whole number.'


def read_position(text: str | None) -> int | None:
    """
    Read after which position events are wanted; None where nothing is said.

    Raises
    ------
    FieldopsError
        If it is no whole number.
    """
    if text is None or text == "":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise FieldopsError(WHOLE_NUMBER, name="after")
    return int(text)


def read_limit(arguments: Mapping[str, str]) -> int:
    """
    Read how many events are wanted at most.

    Raises
    ------
    FieldopsError
        If it is no whole number from 1 on.
    """
    text = arguments.get("limit", "500")
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text) > 0):
        raise FieldopsError(WHOLE_NUMBER, name="limit")
    return min(int(text), MOST_EVENTS)


def read_subject(text: str) -> tuple[str, str]:
    """
    Read whose events are wanted, as in "work_order:W-1".

    Raises
    ------
    FieldopsError
        If it is no kind and id.
    """
    kind, colon, subject_id = text.partition(":")
    if not (kind and colon and subject_id) or "\x00" in text:
        raise FieldopsError(
            '"%(name)s" must be a kind and an id, as in work_order:W-1.', name="subject"
        )
    return kind, subject_id
