"""The addresses of the gateway's own endpoints, and links to the login."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

PREFIX: Final = "/bff"
LOGIN: Final = "/bff/login"
SILENT: Final = "/bff/login/silent"
RESUME: Final = "/bff/login/resume"
CALLBACK: Final = "/bff/callback"
SESSION: Final = "/bff/session"
REFRESH: Final = "/bff/session/refresh"
LOGOUT: Final = "/bff/logout"
BACKCHANNEL_LOGOUT: Final = "/bff/backchannel-logout"
ALIVE: Final = "/healthz"
READY: Final = "/readyz"


def login_link(return_to: str = "/") -> str:
    """Return the address of a login that ends at `return_to`."""
    return _with_return_to(LOGIN, return_to)


def resume_link(return_to: str = "/") -> str:
    """Return the address that goes on to `return_to` if somebody is logged in."""
    return _with_return_to(RESUME, return_to)


def _with_return_to(path: str, return_to: str) -> str:
    return path if return_to == "/" else f"{path}?return_to={quote(return_to, safe='/')}"
