"""Who may call a route: declared on the route itself, checked before it runs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import quote, urlsplit

from flask import current_app, g, redirect, request, url_for
from flask.sessions import SecureCookieSessionInterface
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from fieldops.errors import (
    ForbiddenError,
    StalePageError,
    UnauthenticatedError,
    is_for_machines,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask, Response
    from flask.typing import ResponseReturnValue

    from fieldops.settings import Settings

View = TypeVar("View", bound="Callable[..., Any]")

LOGIN_PATH = "/login"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src 'self' data: blob:; "
    "worker-src 'self'; "
    "object-src 'none'; "
    "base-uri 'none'; "
    "form-action 'self'; "
    "frame-ancestors 'none'"
)


class Role(StrEnum):
    """What a person does at the utility."""

    CREW = "crew"
    DISPATCHER = "dispatcher"
    PLANNER = "planner"
    SERVICE_AGENT = "service_agent"
    MANAGER = "manager"
    ADMIN = "admin"


STAFF = tuple(Role)

ROLE_NAMES = {
    Role.CREW: _l("Crew"),
    Role.DISPATCHER: _l("Dispatcher"),
    Role.PLANNER: _l("Planner"),
    Role.SERVICE_AGENT: _l("Service agent"),
    Role.MANAGER: _l("Manager"),
    Role.ADMIN: _l("Administrator"),
}


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever is asking."""

    id: int
    name: str
    roles: frozenset[Role]
    login: str = ""
    language: str | None = None
    is_demo: bool = False
    session_key: str = ""
    """What the browser shows to be known again; empty for a token."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        """Give what Flask-Login keeps in the session cookie."""
        return self.session_key


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A page in the top bar."""

    url: str
    title: str
    is_current: bool


def allow(*roles: Role | str, menu: object = None) -> Callable[[View], View]:
    """Declare that only people with one of these roles may call the view; `menu` is its title."""
    wanted = frozenset(Role(role) for role in roles)

    def mark(view: View) -> View:
        view.allowed_roles = wanted  # type: ignore[attr-defined]
        view.menu = menu  # type: ignore[attr-defined]
        return view

    return mark


def public(view: View) -> View:
    """Declare that anybody may call the view, signed in or not."""
    view.allowed_roles = None  # type: ignore[attr-defined]
    return view


def cookieless(view: View) -> View:
    """Declare that the view heeds no cookie, so that nothing can be forged with one."""
    view.is_cookieless = True  # type: ignore[attr-defined]
    return view


def current_person() -> Person | None:
    """Give whoever is signed in, by session or by token."""
    person = current_user._get_current_object()  # noqa: SLF001 - the person behind the proxy
    return person if isinstance(person, Person) else None


def known_person() -> Person | None:
    """Give the person if already looked up; never asks the database."""
    person = g.get("_login_user")
    return person if isinstance(person, Person) else None


def bearer_token() -> str | None:
    """Give the token that a machine sent, which then counts alone: its cookies are ignored."""
    authorization = request.authorization
    if authorization is None or authorization.type != "bearer":
        return None
    return authorization.token or ""


def is_demo_open() -> bool:
    """
    Tell whether this visitor may be anybody of the demo: from this machine, straight, in the demo.

    The name in the address is checked too: a page elsewhere can point its own name at 127.0.0.1.
    """
    settings: Settings = current_app.extensions["fieldops.settings"]
    host = urlsplit(f"//{request.host}").hostname or ""
    is_passed_on = any(
        name in request.headers for name in ("Forwarded", "X-Forwarded-For", "X-Real-IP")
    )
    return (
        settings.is_demo
        and settings.host in LOOPBACK
        and request.remote_addr in LOOPBACK
        and host in LOOPBACK
        and not is_passed_on
    )


def safe_next(target: str | None) -> str:
    """Give the place to go on to, if it is a path of this site; else the start page."""
    if not target or not target.startswith("/") or target.startswith("//"):
        return "/"
    if "\\" in target or any(ord(letter) < 32 for letter in target):
        return "/"
    return target


def may_open(path: str, role: Role) -> bool:
    """Tell whether there is a page at a path of this site that the role may open."""
    adapter = current_app.create_url_adapter(request)
    assert adapter is not None  # noqa: S101 - there is one for every request
    try:
        endpoint, _ = adapter.match(urlsplit(path).path, method="GET")
    except HTTPException:
        return False
    allowed: frozenset[Role] | None = _views()[endpoint].allowed_roles
    return allowed is None or role in allowed


def check_caller() -> ResponseReturnValue | None:
    """Let a request through to its view, or not."""
    if request.endpoint is None:
        return None
    view = current_app.view_functions[request.endpoint]
    if not hasattr(view, "allowed_roles"):
        message = f"the route {request.endpoint} does not declare who may call it"
        raise LookupError(message)
    token = bearer_token()
    if token is not None and current_person() is None:
        raise UnauthenticatedError("The token is not valid: unknown, expired or revoked.")
    allowed: frozenset[Role] | None = view.allowed_roles
    if allowed is not None:
        person = current_person()
        if person is None:
            if is_for_machines():
                raise UnauthenticatedError("Sign in, or send a token.")
            here = request.full_path.rstrip("?") if request.method == "GET" else "/"
            return redirect(f"{LOGIN_PATH}?next={quote(here, safe='')}")
        if not allowed & person.roles:
            raise ForbiddenError(
                "%(name)s may not do this; it needs one of these roles: %(roles)s.",
                name=person.name,
                roles=", ".join(str(ROLE_NAMES[role]) for role in STAFF if role in allowed),
            )
    if token is None and not getattr(view, "is_cookieless", False):
        check_forgery()
    return None


def check_forgery() -> None:
    """
    Refuse a write that a browser's cookie allows but no page of ours asked for.

    Raises
    ------
    StalePageError
        If the form field or the X-CSRFToken header is missing or of another session.
    """
    csrf: CSRFProtect = current_app.extensions["csrf"]
    try:
        csrf.protect()
    except CSRFError as error:
        raise StalePageError(
            "The page is too old, or cookies are blocked. Reload the page and try again."
        ) from error


def menu() -> list[MenuItem]:
    """List the pages that the person may open."""
    person = page_person()
    if person is None:
        return []
    return [
        MenuItem(url_for(endpoint), str(view.menu), request.endpoint == endpoint)
        for endpoint, view in _views().items()
        if getattr(view, "menu", None) and view.allowed_roles & person.roles
    ]


def _views() -> dict[str, Any]:
    return cast("dict[str, Any]", current_app.view_functions)


def page_person() -> Person | None:
    """Give the person for the top bar; an error page never asks the database for it."""
    return known_person() if g.get("is_error_page") else current_person()


def add_headers(response: Response) -> Response:
    """Tell the browser to load nothing from elsewhere, and to keep no page of a person."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if response.mimetype == "text/html" or response.status_code >= 400:
        headers.setdefault("Cache-Control", "no-store")
    return response


class SessionCookies(SecureCookieSessionInterface):
    """Session cookies that travel by https alone once https is there."""

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002 - the framework's signature
        """Tell whether the page itself came by https."""
        return request.is_secure


def init_app(app: Flask) -> None:
    """Hold every request to what its route declares."""
    settings: Settings = app.extensions["fieldops.settings"]
    # Cookies know no ports: two installations on one machine must not sign each other out.
    app.config.update(
        SESSION_COOKIE_NAME=f"fieldops_{settings.port}",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.session_interface = SessionCookies()
    if settings.proxies:
        # Else everybody has the proxy's address, and one guesser locks them all out.
        hops = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    CSRFProtect(app)
    if "static" in app.view_functions:
        public(app.view_functions["static"])
    app.before_request(check_caller)
    app.after_request(add_headers)
    app.context_processor(
        lambda: {
            "page_person": page_person,
            "menu": menu,
            "is_demo_open": is_demo_open,
            "role_names": ROLE_NAMES,
        }
    )
