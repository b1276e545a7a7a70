"""Whether the database is there and as this program needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fieldops.errors import FieldopsError
from fieldops.health import queries
from fieldops.migrations import newest_revision

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class UnhealthyError(FieldopsError):
    """The program cannot work at the moment."""

    status = 503
    code = "unhealthy"


def check_health(session: Session) -> str:
    """
    Give the revision of the database.

    Raises
    ------
    UnhealthyError
        If it is not the one that this program was written for.
    """
    revision = queries.fetch_revision(session)
    if revision != newest_revision():
        raise UnhealthyError(
            "The database stands at revision %(revision)s, and this program needs %(newest)s:"
            " run fieldops db migrate",
            revision=revision,
            newest=newest_revision(),
        )
    return revision
