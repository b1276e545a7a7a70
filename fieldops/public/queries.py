"""SQL that counts what an address sends."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - kept in dataclasses
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select, text

from fieldops.public.models import PublicPost

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def count_posts(session: Session, sender: str, since: dt.datetime) -> int:
    """Count what an address sent to the public page, and forget what no longer counts."""
    session.execute(text("DELETE FROM public_post WHERE at < :since"), {"since": since})
    return session.execute(select(func.count()).where(PublicPost.sender == sender)).scalar_one()


def insert_post(session: Session, sender: str, now: dt.datetime) -> None:
    """Note that an address sent something."""
    session.execute(insert(PublicPost).values(sender=sender, at=now))


def lock_sender(session: Session, sender: str) -> None:
    """Count the posts of one address one after the other."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:sender, 11))"), {"sender": sender}
    )
