"""The token endpoint's answers (RFC 6749 sections 5 and 6, RFC 8693 section 2.2, OpenID Connect Core 3.1.3.3)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn

from bff.errors import ClientRefused, GrantRefused, InvalidProviderAnswer, LoginFailed
from bff.oauth.provider_answer import error_code, is_json, parse_answer, raise_if_known

MAX_SIZE = 256 * 1024
# It travels in a header of every call to an upstream, and few servers take longer header lines.
MAX_ACCESS_TOKEN = 16 * 1024
MAX_REFRESH_TOKEN = 16 * 1024
# Longer is clamped: no access token that claims to live for years is left unrefreshed for so long.
MAX_LIFETIME = 365 * 86_400.0

Grant = Literal[
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:token-exchange",
]
TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 -- a name
ACCESS_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 -- a name
"""The types of RFC 8693 section 3."""

TokenType = Literal["bearer", "dpop"]

BEARER: frozenset[TokenType] = frozenset({"bearer"})
BOUND: frozenset[TokenType] = frozenset({"dpop"})

_KIND = "token"
# Wider than RFC 6750's b64token, for providers are inventive, but nothing that could end a header field.
_VISIBLE = re.compile(r"[!-~]+", re.ASCII)
_PRINTABLE = re.compile(r"[ -~]+", re.ASCII)
_SCOPE = re.compile(r"[!#-\[\]-~]+", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class TokenResponse:
    """The tokens of one grant; `expires_in` is in seconds; None where the provider said nothing.

    `certificate` is when the certificate began that the access token may be bound to, None if to none.
    """

    access_token: str
    token_type: str
    expires_in: float | None
    refresh_token: str | None
    id_token: str | None
    scope: tuple[str, ...] | None
    certificate: float | None = None

    @property
    def is_bound(self) -> bool:
        """Whether the access token is bound to the key of the proof it was asked for with (RFC 9449 section 5)."""
        return self.token_type.lower() == "dpop"


class UnusableTokens(InvalidProviderAnswer):
    """A success in which something is not as it must be; `rest` has no access token, but the new refresh token."""

    def __init__(self, reason: str, rest: TokenResponse) -> None:
        super().__init__(reason)
        self.rest = rest


def parse_token_response(
    status: int,
    body: bytes,
    *,
    grant: Grant,
    content_type: str | None = None,
    retry_after: str | None = None,
    token_types: Collection[TokenType] = BEARER,
) -> TokenResponse:
    """Return the tokens; every failure is told by status and members, never by text.

    `token_types` are those that the request allows for; a token of any other is refused (RFC 6749 section 7.1).

    `invalid_grant` raises `GrantRefused` for a refresh token and `LoginFailed` for a code. Of the rest, the
    client's own faults raise `ClientRefused`, as does every refusal of the client's own token and of a token exchange;
    429, 5xx and the like `ProviderUnavailable`; what is malformed or contradicts itself `InvalidProviderAnswer`, and
    `UnusableTokens` if a refresh token came with it; any other refusal of a code, and tokens for one that are not as
    they must be, `LoginFailed`. The answer to an exchange must say that it is an access token (RFC 8693 section 2.2.1).
    """
    answer = parse_answer(_KIND, status, body, max_size=MAX_SIZE, retry_after=retry_after)
    error = error_code(_KIND, status, answer)
    if error is not None:
        _refuse(error, grant)
    if status != 200:
        raise InvalidProviderAnswer(f"{_KIND}.status")
    try:
        return _tokens(answer, grant, content_type, token_types)
    except InvalidProviderAnswer as unusable:
        if grant == "authorization_code":
            # The provider is there and has answered: it is this login that cannot be completed with these tokens.
            raise LoginFailed(unusable.reason) from None
        rest = _rest(answer)
        raise unusable if rest is None else UnusableTokens(unusable.reason, rest) from None


def _tokens(
    answer: dict[str, Any], grant: Grant, content_type: str | None, token_types: Collection[TokenType]
) -> TokenResponse:
    if not is_json(content_type):
        raise InvalidProviderAnswer(f"{_KIND}.content_type")
    if grant == TOKEN_EXCHANGE and answer.get("issued_token_type") != ACCESS_TOKEN_TYPE:
        raise InvalidProviderAnswer(f"{_KIND}.issued_token_type")
    token_type = answer.get("token_type")
    if not isinstance(token_type, str) or token_type.lower() not in token_types:
        raise InvalidProviderAnswer(f"{_KIND}.token_type")
    access_token = _text(answer, "access_token", _VISIBLE, MAX_ACCESS_TOKEN)
    if access_token is None:
        raise InvalidProviderAnswer(f"{_KIND}.access_token")
    return TokenResponse(
        access_token=access_token,
        token_type=token_type,
        expires_in=_expires_in(answer.get("expires_in")),
        refresh_token=_text(answer, "refresh_token", _PRINTABLE, MAX_REFRESH_TOKEN),
        id_token=_text(answer, "id_token", _VISIBLE, MAX_SIZE),
        scope=_scope(answer.get("scope")),
    )


def _rest(answer: dict[str, Any]) -> TokenResponse | None:
    """Return what is left of an unusable answer, None if that is nothing."""
    try:
        refresh_token = _text(answer, "refresh_token", _PRINTABLE, MAX_REFRESH_TOKEN)
    except InvalidProviderAnswer:
        return None
    if refresh_token is None:
        return None
    return TokenResponse(
        access_token="", token_type="", expires_in=None, refresh_token=refresh_token, id_token=None, scope=None
    )


def _refuse(error: str, grant: Grant) -> NoReturn:
    raise_if_known(_KIND, error)
    if grant in ("client_credentials", TOKEN_EXCHANGE):
        # No session depends on these; who may have such a token is settled where the client is registered.
        raise ClientRefused(f"{_KIND}.refused")
    if error == "invalid_grant":
        if grant == "refresh_token":
            raise GrantRefused(f"{_KIND}.invalid_grant")
        raise LoginFailed(f"{_KIND}.invalid_grant")
    if grant == "refresh_token":
        # Only `invalid_grant` ends a session; what else a provider invents leaves it as it is.
        raise InvalidProviderAnswer(f"{_KIND}.unknown_error")
    raise LoginFailed(f"{_KIND}.unknown_error")


def _text(answer: dict[str, Any], name: str, form: re.Pattern[str], max_size: int) -> str | None:
    value = answer.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > max_size or not form.fullmatch(value):
        raise InvalidProviderAnswer(f"{_KIND}.{name}")
    return value


def _expires_in(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise InvalidProviderAnswer(f"{_KIND}.expires_in")
    return min(float(value), MAX_LIFETIME)


def _scope(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    scopes = tuple(value.split(" ")) if isinstance(value, str) else (value,)
    scopes = tuple(scope for scope in scopes if scope != "")
    if not all(isinstance(scope, str) and _SCOPE.fullmatch(scope) for scope in scopes):
        raise InvalidProviderAnswer(f"{_KIND}.scope")
    return scopes
