"""The rules of the house that no tool for hire checks."""

from __future__ import annotations

import json
import pkgutil
import re
import tomllib
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from babel.messages.pofile import read_po
from geoalchemy2.alembic_helpers import include_object as is_no_index_of_postgis

import fieldops
from fieldops.db import Base
from fieldops.language import TRANSLATIONS
from fieldops.settings import CHECKOUT
from tests.budgets import BUDGETS

if TYPE_CHECKING:
    from flask import Flask
    from sqlalchemy import Connection
    from werkzeug.routing import Rule

PACKAGES = {module.name for module in pkgutil.iter_modules(fieldops.__path__) if module.ispkg}
NO_FEATURES = {"cli", "migrations"}


def rules_of(app: Flask) -> list[Rule]:
    """Give every route."""
    return list(app.url_map.iter_rules())


def test_every_route_declares_who_may_call_it(app: Flask) -> None:
    """Forgetting it must not open a door."""
    undeclared = [
        rule.endpoint
        for rule in rules_of(app)
        if not hasattr(app.view_functions[rule.endpoint], "allowed_roles")
    ]
    assert undeclared == []


def test_every_endpoint_has_a_budget_of_statements(app: Flask) -> None:
    """A page that asks the database in a loop is found before it is slow; see `app`."""
    endpoints = {rule.endpoint for rule in rules_of(app)} - {"static"}
    assert endpoints == set(BUDGETS)


def test_models_say_what_migrations_make(connection: Connection) -> None:
    """Alembic finds nothing left to migrate."""
    for package in sorted(PACKAGES - NO_FEATURES):
        if (CHECKOUT / "fieldops" / package / "models.py").exists():
            __import__(f"fieldops.{package}.models")
    context = MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "compare_server_default": True,
            "include_object": lambda thing, name, kind, is_reflected, other: (
                not (name or "").startswith(
                    ("procrastinate_", "alembic_version", "spatial_ref_sys")
                )
                and is_no_index_of_postgis(  # type: ignore[no-untyped-call]
                    thing, name, kind, is_reflected, other
                )
            ),
        },
    )
    assert compare_metadata(context, Base.metadata) == []


def test_every_folder_is_held_to_the_contract_of_features() -> None:
    """A feature that is not listed would escape it."""
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    inside = next(each for each in contracts if each["name"].startswith("inside a feature"))
    assert set(inside["containers"]) == {f"fieldops.{name}" for name in PACKAGES - NO_FEATURES}


def test_every_feature_with_pages_is_in_the_app() -> None:
    """The list in create_app is written by hand."""
    with_pages = {
        name
        for name in PACKAGES - NO_FEATURES
        if any((CHECKOUT / "fieldops" / name / room).exists() for room in ("views.py", "api.py"))
    }
    assert with_pages <= set(fieldops.FEATURES)
    assert set(fieldops.FEATURES) <= PACKAGES


def test_locks_name_no_address() -> None:
    """Where packages come from is each machine's own affair."""
    for lock in CHECKOUT.glob("requirements*.lock"):
        assert "://" not in lock.read_text(), lock
        assert "--hash=sha256:" in lock.read_text(), lock
    packages = json.loads((CHECKOUT / "package-lock.json").read_text())["packages"]
    assert not [name for name, package in packages.items() if "resolved" in package]
    assert not [name for name, package in packages.items() if name and not package["integrity"]]


def test_the_queue_is_made_as_the_library_makes_it() -> None:
    """When this fails after an upgrade, write a revision with the library's own changes."""
    from procrastinate.schema import SchemaManager

    ours = CHECKOUT / "fieldops/migrations/procrastinate_3_10.sql"
    assert ours.read_text() == SchemaManager.get_schema()


@pytest.mark.parametrize("source", sorted(TRANSLATIONS.glob("*/LC_MESSAGES/*.po")), ids=str)
def test_translations_fit_their_messages(source: object) -> None:
    """Every message is translated, with the same placeholders."""
    with open(str(source), "rb") as stream:  # noqa: PTH123
        catalogue = read_po(stream, abort_invalid=True)
    faults = [
        message.id
        for message in catalogue
        if message.id
        and (
            not message.string
            or "fuzzy" in message.flags
            or placeholders(message.id) != placeholders(message.string)
        )
    ]
    assert faults == []


def placeholders(text: object) -> set[str]:
    """Give the names between %( and )."""
    return set(re.findall(r"%\((\w+)\)", str(text)))
