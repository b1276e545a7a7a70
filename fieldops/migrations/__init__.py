"""The shape of the database, step by step; `migrate` brings one up to date."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError

from fieldops.errors import ConflictError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

FOLDER = Path(__file__).parent
LOCK = 0x6669656C64
"""Key of the advisory lock under which migrations run: "field"."""


def migrate(engine: Engine) -> bool:
    """
    Bring the database to the newest revision, and tell whether there was anything to do.

    Raises
    ------
    ConflictError
        If another process has been migrating for over a minute.
    """
    with engine.connect() as connection:
        if current_revision(connection) == newest_revision():
            return False
        connection.rollback()
        connection.execute(text("SET lock_timeout = '60s'"))
        try:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
        except OperationalError as error:
            raise ConflictError(
                "Another process has been changing the database for a minute:"
                " wait until it is done, and try again"
            ) from error
        connection.commit()
        try:
            return _upgrade(connection)
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock_all()"))
            connection.execute(text("RESET lock_timeout"))
            connection.commit()


def _upgrade(connection: Connection) -> bool:
    # Whoever held the lock before us may have done it all.
    if current_revision(connection) == newest_revision():
        return False
    connection.rollback()
    # Alembic takes a third of a second to import, and most commands find nothing to do.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with connection.begin():
        # Fail rather than queue up behind somebody's long transaction, and everybody behind us.
        connection.execute(text("SET LOCAL lock_timeout = '10s'"))
        connection.execute(text("SET LOCAL statement_timeout = '10min'"))
        command.upgrade(config, "head")
    return True


def current_revision(connection: Connection) -> str | None:
    """Read the revision of a database; None if it is empty."""
    try:
        return connection.execute(
            text("SELECT version_num FROM public.alembic_version")
        ).scalar_one_or_none()
    except ProgrammingError:
        connection.rollback()
        return None


def newest_revision() -> str:
    """
    Name the revision that no other builds on.

    Raises
    ------
    ConflictError
        If there are two, as after two people's work was joined.
    """
    texts = [path.read_text() for path in (FOLDER / "versions").glob("[0-9]*.py")]
    names: list[str] = re.findall(r'^revision = "(.+)"', "\n".join(texts), re.MULTILINE)
    built_on = re.findall(r'^down_revision = "(.+)"', "\n".join(texts), re.MULTILINE)
    newest = sorted(set(names) - set(built_on))
    if len(newest) != 1:
        raise ConflictError("Revisions %(names)s both claim to be the newest", names=newest)
    return newest[0]
