"""The database: one engine an app, one transaction a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import current_app
from sqlalchemy import MetaData, create_engine, make_url
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from flask import Flask
    from sqlalchemy import Engine

CONNECTION_OPTIONS = "-c search_path=public,procrastinate -c timezone=UTC"
"""The queue's tables stand in a schema of their own, and its functions name none."""


class Base(DeclarativeBase):
    """Base of every model. Constraints get names, so that migrations can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def make_engine(url: str, pool_size: int = 20) -> Engine:
    """Make an engine for an address as PostgreSQL's own tools take it, too."""
    address = make_url(url)
    if address.drivername in {"postgres", "postgresql"}:
        address = address.set(drivername="postgresql+psycopg")
    return create_engine(
        address,
        pool_pre_ping=True,
        pool_size=pool_size,
        max_overflow=0,
        connect_args={"options": CONNECTION_OPTIONS},
    )


def make_sessions(url: str) -> sessionmaker[Session]:
    """Make sessions on one engine that share one `info["kept"]`, which lives as long as they do."""
    return sessionmaker(make_engine(url), info={"kept": {}})


def init_app(app: Flask, url: str) -> None:
    """Give the app its own engine."""
    app.extensions["fieldops.sessions"] = make_sessions(url)


def transaction() -> AbstractContextManager[Session]:
    """Open a session that commits on leaving the block, or rolls back on an error."""
    sessions: sessionmaker[Session] = current_app.extensions["fieldops.sessions"]
    return sessions.begin()
