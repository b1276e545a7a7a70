"""How many statements one request to each endpoint may send, its session and person included."""

from __future__ import annotations

BUDGETS: dict[str, int] = {
    "health.show_health": 1,
}
"""Held in every test that goes through the `app` fixture; savepoints do not count."""
