"""Who a machine is to us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint

from fieldops import access
from fieldops.access import STAFF

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

accounts_api = Blueprint("accounts_api", __name__, url_prefix="/api/v1")


@accounts_api.get("/me")
@access.allow(*STAFF)
def tell_me() -> ResponseReturnValue:
    """Answer as whom the caller acts."""
    person = access.current_person()
    assert person is not None  # noqa: S101 - the route lets nobody else through
    return {
        "id": person.id,
        "login": person.login,
        "name": person.name,
        "roles": sorted(person.roles),
        "language": person.language,
        "is_demo": person.is_demo,
    }
