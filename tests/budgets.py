"""How many statements one request to each endpoint may send, its session and person included."""

from __future__ import annotations

BUDGETS: dict[str, int] = {
    "accounts.show_sign_in": 1,
    "accounts.sign_in": 14,
    "accounts.sign_out": 2,
    "accounts.choose_language": 2,
    "accounts.switch_demo_person": 5,
    "accounts.show_me": 1,
    "accounts.change_my_password": 16,
    "accounts.list_people": 2,
    "accounts.add_person": 4,
    "accounts.show_person": 3,
    "accounts.change_person": 6,
    "accounts.set_password": 4,
    "accounts.make_token": 5,
    "accounts.revoke_token": 2,
    "accounts_api.tell_me": 2,
    "health.show_health": 1,
    "valve_sheets.download_sheet": 16,
    "outages_api.show_reason": 9,
    "outages_api.show_outage": 8,
    "isolation_plans.download_plan": 12,
    "network_api.show_network": 6,
    "network_api.show_pipe": 4,
    "network_api.list_facts": 6,
    "network_api.show_valve": 5,
    "network_api.change_facts": 9,
    "network_files.list_imports": 3,
    "network_files.send_file": 5,
    "network_files.show_import": 3,
    "network_files.confirm": 6,
    "network_files.show_findings": 3,
    "network_files.show_preview": 3,
}
"""Held in every test that goes through the `app` fixture; savepoints do not count."""
