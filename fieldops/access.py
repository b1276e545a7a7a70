"""Who may call a route: declared on the route itself, checked before it runs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

View = TypeVar("View", bound="Callable[..., Any]")


class Role(StrEnum):
    """What a person does at the utility."""

    CREW = "crew"
    DISPATCHER = "dispatcher"
    PLANNER = "planner"
    SERVICE_AGENT = "service_agent"
    MANAGER = "manager"
    ADMIN = "admin"


STAFF = tuple(Role)


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever is asking."""

    id: int
    name: str
    roles: frozenset[Role]


def allow(*roles: Role | str) -> Callable[[View], View]:
    """Declare that only people with one of these roles may call the view."""
    wanted = frozenset(Role(role) for role in roles)

    def mark(view: View) -> View:
        view.allowed_roles = wanted  # type: ignore[attr-defined]
        return view

    return mark


def public(view: View) -> View:
    """Declare that anybody may call the view, signed in or not."""
    view.allowed_roles = None  # type: ignore[attr-defined]
    return view
