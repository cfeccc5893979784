"""One route: a prefix of the gateway's paths, the upstream behind it, and how its calls are authorised."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from bff.settings.fault import Faults, Unacceptable, near_miss, one_of, shown_name
from bff.settings.openid import authentication_contexts, scopes
from bff.settings.token_target import TokenTarget
from bff.settings.urls import UpstreamUrl, parse_absolute_uri, parse_upstream_url
from bff.settings.values import duration, printable_text, size, tokens

TokenPolicy = Literal["user", "client", "user-or-client", "user-or-none", "none"]

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
TOKEN_POLICIES: Final = ("user", "client", "user-or-client", "user-or-none", "none")
RESERVED_PREFIXES: Final = ("/bff", "/healthz", "/readyz")
FIELDS: Final = (
    *("prefix", "upstream", "methods", "token", "resource", "audience", "scope", "exchange", "require_scope"),
    *("expect_audience", "acr_values", "max_age", "websocket", "timeout", "max_body", "set_cookie"),
)

_LONGEST_TEXT = 2048
_LONGEST_AGE = 365 * 86400.0
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Calls whose path begins with `prefix` go to `upstream`; times are in seconds, `max_body` in bytes.

    `acr_values` are the authentication context classes of which a user's login must have one.
    """

    prefix: str
    upstream: UpstreamUrl
    methods: frozenset[str] = frozenset(METHODS)
    token: TokenPolicy = "user"  # noqa: S105 -- a policy's name
    resource: str | None = None
    audience: str | None = None
    scope: tuple[str, ...] = ()
    exchange: bool = False
    expect_audience: str | None = None
    require_scope: tuple[str, ...] = ()
    acr_values: tuple[str, ...] = ()
    max_age: int | None = None
    websocket: bool = False
    timeout: float = 60.0
    max_body: int = 64 * 2**20
    set_cookie: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What logs and metrics call the route."""
        return self.prefix

    @property
    def user_target(self) -> TokenTarget | None:
        """What a user's token must be for, None for the login's own."""
        if not self.names_target:
            return None
        return TokenTarget(
            resource=self.resource,
            audience=self.audience,
            scope=self.scope,
            is_exchanged=self.exchange,
            expect_audience=self.expect_audience,
        )

    @property
    def client_target(self) -> TokenTarget | None:
        """What the client's own token must be for, None if the route never sends one."""
        if "client" not in self.token:
            return None
        return TokenTarget(
            resource=self.resource, audience=self.audience, scope=self.scope, expect_audience=self.expect_audience
        )

    @property
    def demands_step_up(self) -> bool:
        """Whether the kind or the age of the user's login matters."""
        return bool(self.acr_values) or self.max_age is not None

    @property
    def names_target(self) -> bool:
        """Whether the route names an API, or a scope, of its own."""
        return self.resource is not None or self.audience is not None or bool(self.scope)


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
    values: dict[str, Any] = {"timeout": timeout, "max_body": max_body}
    for name, parse in _PARSERS.items():
        if fields.get(name) is not None:
            try:
                values[name] = parse(fields[name])
            except Unacceptable as fault:
                faults.add(where, f"{name} {fault.rule}", fault.cure)
        elif name in ("prefix", "upstream"):
            faults.add(where, f"needs {name}", f"Add {name}")
    if len(faults.lines) > before:
        return None
    route = Route(**values)
    for rule, cure in contradictions(route):
        faults.add(where, rule, cure)
    return None if len(faults.lines) > before else route


def contradictions(route: Route) -> Iterator[tuple[str, str]]:
    """Yield what cannot be meant together, each with its cure."""
    policy = route.token
    if policy == "none" and route.names_target:
        yield "names an API or a scope, but token none sends no token", "Choose another token, or remove the fields"
    if route.exchange and not route.names_target:
        yield "exchange needs resource, audience or scope: what the new token is for", "Add one of them"
    if route.exchange and policy in ("client", "none"):
        yield f"exchange needs a user's token, which token {policy} never has", "Remove exchange, or set token user"
    if route.expect_audience is not None and route.resource is None and route.audience is None:
        yield "expect_audience needs resource or audience", "Add the one that the provider writes another way"
    if route.require_scope and policy in ("user-or-none", "none"):
        yield f"require_scope needs a token in every call, which token {policy} has not", "Remove one of the two"
    if route.demands_step_up and policy != "user":
        yield "acr_values and max_age need token user: they judge a login", "Remove them, or set token user"


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


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Unacceptable("must be true or false", "Write it without quotes")
    return value


def _policy(value: str) -> str:
    if value not in TOKEN_POLICIES:
        raise one_of(value, TOKEN_POLICIES)
    return value


def _text_of_one(value: str) -> str:
    if not value.strip() or len(value) > _LONGEST_TEXT:
        raise Unacceptable(f"must be a text of 1 to {_LONGEST_TEXT} characters", "Leave it out, or name the API")
    return printable_text(value)


def _max_age(value: str) -> int:
    return int(duration(1, _LONGEST_AGE)(value))


_PARSERS: Final[dict[str, Callable[[object], Any]]] = {
    "prefix": parse_prefix,
    "upstream": _text(parse_upstream_url),
    "methods": _methods,
    "token": _text(_policy),
    "resource": _text(parse_absolute_uri),
    "audience": _text(_text_of_one),
    "scope": _list(scopes),
    "exchange": _flag,
    "expect_audience": _text(_text_of_one),
    "require_scope": _list(scopes),
    "acr_values": _list(authentication_contexts),
    "max_age": _number(_max_age),
    "timeout": _number(duration(0.1, 86400)),
    "max_body": _number(size),
    "websocket": _flag,
    "set_cookie": _list(tokens),
}
