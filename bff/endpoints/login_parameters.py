"""What a link or form may ask of a login: where to return to, and parameters the operator lets through."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from bff.errors import BadRequest
from bff.http.routes import RouteTable
from bff.oauth.authorization import parse_max_age
from bff.oauth.query import MalformedQuery, parse_parameters
from bff.oauth.return_to import ReturnPath, parse_return_to, without_login_error
from bff.settings import Route

MAX_SIZE: Final = 16 * 1024
_LONGEST_SUBJECT: Final = 255


@dataclass(frozen=True, slots=True)
class LoginParameters:
    """A login as it was asked for; `extra` are the parameters to pass on, `max_age` is in seconds.

    `silent` tells where the outcome goes of a login that may show nothing, `subject` whose login alone that may be.
    """

    return_to: ReturnPath
    extra: dict[str, str]
    max_age: int | None
    acr_values: str | None
    silent: Literal["page", "frame"] | None
    subject: str | None


class LoginParametersReader:
    """Reads the parameters of the login endpoint; `allowed` are the names that are passed on.

    `always` are sent with every login, unless it has another value for one that is allowed. No login ends at a path of
    one of `calls` that carries a token.
    """

    def __init__(
        self,
        *,
        issuer: str,
        origin: str,
        allowed: Collection[str],
        always: Collection[tuple[str, str]] = (),
        calls: Collection[Route] = (),
    ) -> None:
        self._issuer = issuer
        self._origin = origin
        self._allowed = frozenset(allowed)
        self._always = dict(always)
        self._calls = RouteTable(calls)

    def read(self, encoded: bytes, *, is_initiation: bool) -> LoginParameters:
        """Return what is asked for; everything not named here is ignored.

        With `iss` it is a login that a third party initiates (OpenID Connect Core 1.0 section 4), which
        `is_initiation` requires. Raises `BadRequest` for what is malformed, for a parameter sent twice, and for an
        `iss` that is not our provider.
        """
        try:
            parameters = parse_parameters(encoded, max_size=MAX_SIZE)
        except MalformedQuery:
            raise BadRequest("login.malformed") from None
        issuer = parameters.get("iss")
        if issuer is None and is_initiation:
            raise BadRequest("login.issuer_missing")
        if issuer is not None and issuer != self._issuer:
            raise BadRequest("login.issuer")
        subject = parameters.get("sub")
        if subject is not None and not 1 <= len(subject) <= _LONGEST_SUBJECT:
            # No user has another (OpenID Connect Core section 2).
            raise BadRequest("login.subject")
        target = parameters.get("return_to") if issuer is None else self._path(parameters.get("target_link_uri"))
        asked = {name: value for name, value in parameters.items() if name in self._allowed and value}
        extra = self._always | asked
        return LoginParameters(
            return_to=self._return_to(target),
            extra=extra,
            max_age=parse_max_age(extra["max_age"]) if "max_age" in extra else None,
            acr_values=extra.get("acr_values"),
            silent="page" if extra.get("prompt") == "none" else None,
            subject=subject,
        )

    def _return_to(self, target: str | None) -> ReturnPath:
        return_to = without_login_error(parse_return_to(target))
        route = self._calls.match(re.split("[?#]", return_to, maxsplit=1)[0].encode("ascii"))
        is_call = route is not None and route.token != "none"  # noqa: S105 -- a policy's name
        return ReturnPath("/") if is_call else return_to

    def _path(self, target_link_uri: str | None) -> str | None:
        """Return the path of a URL of our origin; anything else is left for `parse_return_to` to judge."""
        if target_link_uri is None or not target_link_uri.startswith(self._origin):
            return target_link_uri
        return target_link_uri[len(self._origin) :] or "/"
