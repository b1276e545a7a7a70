"""`fieldops accounts`: people from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from fieldops.cli import speaking
from fieldops.cli.accounts import accounts
from fieldops.errors import FieldopsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

PASSWORD = "水表井盖2024年一号"  # noqa: S105 - of nobody


@pytest.fixture
def run(database: str, tmp_path: Path) -> Callable[..., Result]:
    """Run a command on a database of its own, as in an English terminal."""
    environ = {
        "FIELDOPS_HOME": str(tmp_path),
        "FIELDOPS_DATABASE_URL": database,
        "FIELDOPS_LANG": "en",
    }

    def run_command(*words: str, stdin: str | None = None) -> Result:
        with speaking().app_context():
            return CliRunner(env=environ).invoke(accounts, words, input=stdin)

    return run_command


def test_people_are_added_changed_and_disabled(run: Callable[..., Result]) -> None:
    """One walk through all of it, for each command starts a database."""
    added = run(
        "add",
        "Wang",
        "--name",
        "王芳",
        "--role",
        "admin",
        "--password-stdin",
        stdin=PASSWORD + "\n",
    )
    assert added.exit_code == 0, added.output
    assert "王芳 is added." in added.output
    assert run("add", "scada", "--role", "planner", "--no-password").exit_code == 0
    assert "wang\t王芳\tAdministrator\n" in run("list").output

    secret = run("token", "scada", "--name", "SCADA", "--days", "30").output
    assert secret.startswith("fo_")
    number = run("tokens", "scada").output.split("\t")[0]
    assert run("revoke", "scada", number).exit_code == 0
    assert run("tokens", "scada").output.endswith("revoked\n")
    assert secret.strip() not in run("tokens", "scada").output

    assert run("roles", "scada", "crew", "manager").exit_code == 0
    assert run("disable", "scada").exit_code == 0
    assert "scada\tscada\tCrew, Manager\tdisabled\n" in run("list").output
    assert run("enable", "scada").exit_code == 0

    for words in (("disable", "wang"), ("roles", "wang", "crew"), ("demo",), ("disable", "li")):
        refused = run(*words)
        assert isinstance(refused.exception, FieldopsError), words
    weak = run("password", "wang", "--password-stdin", stdin="short\n")
    assert isinstance(weak.exception, FieldopsError)


def test_the_demo_has_its_people_once(run: Callable[..., Result]) -> None:
    """One a role, with Chinese names."""
    assert "6 new" in run("demo").output
    assert "0 new" in run("demo").output
    assert "demo-dispatcher\t林晓\tDispatcher" in run("list").output
