"""One route: a prefix of the gateway's paths, the upstream behind it, and how its calls are authorised."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from bff.settings.fault import Faults, Unacceptable, near_miss, one_of, shown_name
from bff.settings.openid import scopes
from bff.settings.urls import UpstreamUrl, parse_upstream_url
from bff.settings.values import duration, size, tokens

TokenPolicy = Literal["user", "client", "user-or-client", "user-or-none", "none"]

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
TOKEN_POLICIES: Final = ("user", "client", "user-or-client", "user-or-none", "none")
RESERVED_PREFIXES: Final = ("/bff", "/healthz", "/readyz")
FIELDS: Final = (
    *("prefix", "upstream", "methods", "token", "resource", "audience", "scope", "exchange", "require_scope"),
    *("acr_values", "max_age", "websocket", "timeout", "max_body", "set_cookie"),
)
NOT_YET: Final = ("resource", "audience", "scope", "exchange", "acr_values", "max_age", "websocket")

_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Calls whose path begins with `prefix` go to `upstream`; `timeout` is in seconds, `max_body` in bytes."""

    prefix: str
    upstream: UpstreamUrl
    methods: frozenset[str] = frozenset(METHODS)
    token: TokenPolicy = "user"  # noqa: S105 -- a policy's name
    resource: str | None = None
    audience: str | None = None
    scope: tuple[str, ...] = ()
    exchange: bool = False
    require_scope: tuple[str, ...] = ()
    acr_values: tuple[str, ...] = ()
    max_age: float | None = None
    websocket: bool = False
    timeout: float = 60.0
    max_body: int = 64 * 2**20
    set_cookie: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What logs and metrics call the route."""
        return self.prefix


def parse_prefix(value: object) -> str:
    """Return a prefix without trailing slash; raises `Unacceptable`."""
    if not isinstance(value, str) or not value.startswith("/"):
        raise Unacceptable("must be a path that begins with a slash", "Write for example /api")
    prefix = value.removesuffix("/")
    if not prefix:
        raise Unacceptable("must not be the whole site, which holds the page and /bff", "Write for example /api")
    if not _PREFIX.fullmatch(prefix) or any(segment in (".", "..") for segment in prefix.split("/")):
        raise Unacceptable(
            "must be whole segments of letters, digits and ._~-, without dot segments", "Write for example /api/v2"
        )
    for reserved in RESERVED_PREFIXES:
        if f"{prefix}/".lower().startswith(f"{reserved}/"):
            raise Unacceptable(f"must not lie in {reserved}, which is the gateway's own", "Choose another prefix")
    return prefix


def parse_route(
    where: str, fields: Mapping[str, object], *, timeout: float, max_body: int, faults: Faults
) -> Route | None:
    """Return the route that a table describes, or None with its faults added under `where`."""
    before = len(faults.lines)
    for name in fields:
        if name not in FIELDS:
            meant = near_miss(name, FIELDS)
            cure = f"Did you mean {meant}?" if meant else f"The fields are {', '.join(FIELDS)}"
            faults.add(where, f"has the unknown field {shown_name(name)}", cure)
    for name in NOT_YET:
        value = fields.get(name)
        if value is not None and value is not False and value not in ("", []):
            faults.add(where, f"sets {name}, which is not yet supported by this version", f"Remove {name}")
    values: dict[str, Any] = {"timeout": timeout, "max_body": max_body}
    for name, parse in _PARSERS.items():
        if fields.get(name) is not None:
            try:
                values[name] = parse(fields[name])
            except Unacceptable as fault:
                faults.add(where, f"{name} {fault.rule}", fault.cure)
        elif name in ("prefix", "upstream"):
            faults.add(where, f"needs {name}", f"Add {name}")
    if values.get("require_scope") and values.get("token", "user") != "user":
        faults.add(
            where, "require_scope needs token user: without a session nothing was granted", "Remove one of the two"
        )
    return None if len(faults.lines) > before else Route(**values)


def _text(parse: Callable[[str], Any]) -> Callable[[object], Any]:
    def parse_text(value: object) -> Any:
        if not isinstance(value, str):
            raise Unacceptable("must be a text", "Put it in quotes")
        return parse(value)

    return parse_text


def _number(parse: Callable[[str], Any]) -> Callable[[object], Any]:
    def parse_number(value: object) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return _text(parse)(str(value) if is_number else value)

    return parse_number


def _list(parse: Callable[[str], tuple[str, ...]]) -> Callable[[object], tuple[str, ...]]:
    """Return a parser of a list of names, written as an array or as one text."""

    def parse_list(value: object) -> tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            value = " ".join(cast("list[str]", value))
        if not isinstance(value, str):
            raise Unacceptable("must be a list of texts", 'Write for example ["one", "two"]')
        return parse(value)

    return parse_list


def _methods(value: object) -> frozenset[str]:
    methods = tuple(method.upper() for method in _list(tokens)(value))
    for method in methods:
        if method not in METHODS:
            raise Unacceptable(f"must be among {', '.join(METHODS)}", "Remove the others")
    return frozenset(methods)


def _policy(value: str) -> str:
    if value not in TOKEN_POLICIES:
        raise one_of(value, TOKEN_POLICIES)
    if "client" in value:
        raise Unacceptable(f"{value} is not yet supported by this version", "Use user, user-or-none or none")
    return value


_PARSERS: Final[dict[str, Callable[[object], Any]]] = {
    "prefix": parse_prefix,
    "upstream": _text(parse_upstream_url),
    "methods": _methods,
    "token": _text(_policy),
    "require_scope": _list(scopes),
    "timeout": _number(duration(0.1, 86400)),
    "max_body": _number(size),
    "set_cookie": _list(tokens),
}
