"""Keeps a water network running."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from flask import Blueprint, Flask

from fieldops import access, db, errors, language
from fieldops.embedded_postgres import Cluster
from fieldops.settings import Settings

if TYPE_CHECKING:
    from types import ModuleType

FEATURES = (
    "accounts",
    "basemaps",
    "health",
    "console",
    "maps",
    "reports",
    "public",
    "incidents",
    "work_orders",
    "live_outages",
    "shutdowns",
    "duty",
    "emergencies",
    "receipts",
    "crews",
    "rosters",
    "stock",
    "dispatch",
    "clocks",
    "commitments",
    "order_process",
    "durations",
    "planning",
    "events",
    "photos",
    "tablet",
    "devices",
    "packs",
    "release_codes",
    "map_proposals",
    "tracks",
    "network",
    "network_files",
    "outages",
    "isolation_plans",
    "valve_sheets",
    "sync",
    "streams",
    "simulation",
)
"""Every feature with something to show in a browser; its pages stand in the menu in this order."""


def create_app(settings: Settings | None = None) -> Flask:
    """Build the app from `settings`, by default those of the environment."""
    settings = settings or Settings.from_environ()
    app = Flask(__name__, template_folder="../templates")
    app.secret_key = settings.secret_key
    app.extensions["fieldops.settings"] = settings
    db.init_app(app, settings.database_url or Cluster(settings.home).url())
    language.compile_catalogues()
    language.init_app(app)
    errors.init_app(app)
    access.init_app(app)
    for feature in FEATURES:
        for room in ("views", "api"):
            name = f"fieldops.{feature}.{room}"
            if find_spec(f"fieldops.{feature}") and find_spec(name):
                _open_room(app, import_module(name))
    return app


def _open_room(app: Flask, module: ModuleType) -> None:
    """Register the blueprints that a module makes, and let it prepare the app if it wants to."""
    if hasattr(module, "init_app"):
        module.init_app(app)
    for thing in vars(module).values():
        if isinstance(thing, Blueprint) and thing.import_name == module.__name__:
            app.register_blueprint(thing)
