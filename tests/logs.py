"""An empty log for tests whose commits are real, without a new database for each."""

from __future__ import annotations

import psycopg
from sqlalchemy import make_url

from tests.databases import CLUSTER


def as_superuser(url: str, *statements: str) -> None:
    """Do what the application itself cannot: change the log."""
    address = CLUSTER.superuser_url(str(make_url(url).database)).replace("+psycopg", "")
    with psycopg.connect(address) as connection:
        connection.execute("SET session_replication_role = replica")
        for statement in statements:
            connection.execute(statement.encode())


def empty_log(url: str) -> None:
    """Forget everything that happened, and every operation."""
    head = "UPDATE event_head SET position = 0, hash = ''"
    as_superuser(url, "TRUNCATE event", "TRUNCATE operation", head)
