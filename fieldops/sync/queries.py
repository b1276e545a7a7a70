"""What a transaction may lose against, and be tried again."""

from __future__ import annotations

import psycopg
from sqlalchemy.exc import DataError, DBAPIError, OperationalError

CONTENTION = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


def is_contention(error: Exception) -> bool:
    """Tell whether a transaction only lost against another one, and may be tried again."""
    return isinstance(error, DBAPIError) and isinstance(error.orig, CONTENTION)


def is_outage_of_database(error: Exception) -> bool:
    """Tell whether the database itself is gone."""
    return isinstance(error, OperationalError) and not is_contention(error)


def is_unkeepable(error: Exception) -> bool:
    """Tell whether a value is of a kind that the database cannot keep, however often it comes."""
    return isinstance(error, DataError)
