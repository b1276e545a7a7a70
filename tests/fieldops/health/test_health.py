"""What /healthz answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from fieldops.migrations import newest_revision

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from sqlalchemy.orm import Session


def test_a_healthy_process_says_which_revision_it_works_on(client: FlaskClient) -> None:
    """A watchdog, or the set-up, waits for this."""
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json == {"status": "ok", "database_revision": newest_revision()}


def test_a_database_of_another_revision_is_not_healthy(
    client: FlaskClient, session: Session
) -> None:
    """Whoever restarts it must migrate first."""
    session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    session.commit()
    answer = client.get("/healthz", headers={"Accept": "application/json"})
    assert answer.status_code == 503
    assert "0000" in answer.get_data(as_text=True)
