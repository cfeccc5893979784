"""Whether a token is the one that was asked for: its scope, and its audience as far as that can be seen."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, Final

from bff.errors import InvalidProviderAnswer
from bff.oauth.base64url import decode
from bff.oauth.json_document import MalformedDocument, parse_object

_MAX_PART: Final = 16 * 1024
# Asks for a refresh token, not for anything an access token could carry (OpenID Connect Core section 11).
_NOT_GRANTED_TO_ACCESS_TOKENS: Final = frozenset({"offline_access"})
# Microsoft's word for all that was consented to; the answer names what that is.
_WHATEVER_IS_GRANTED: Final = ".default"
_WITH_AUTHORITY: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]")


def granted_scope(told: Sequence[str] | None, *, asked: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return the scope of a token: what the answer tells, else what was asked for, else what is `known` without asking.

    Raises `InvalidProviderAnswer` if it is less than asked for (RFC 6749 section 5.1: silence means as asked).
    """
    if told is None:
        return tuple(asked or known)
    missing = set(asked) - set(told) - _NOT_GRANTED_TO_ACCESS_TOKENS
    if any(not _means_whatever_is_granted(name) for name in missing) or (missing and not told):
        raise InvalidProviderAnswer("token.scope_less_than_asked")
    return tuple(told)


def check_audience_asked_for(access_token: str, asked: Collection[str]) -> None:
    """Raise `InvalidProviderAnswer` if the token is a JWT for none of the audiences in `asked`.

    An access token is the API's to read, and most of what is in it means nothing here; but where its `aud` lies open it
    shows a provider that ignored `resource` (RFC 8707 section 2), whose token would be sent to an API that must not
    have it. The provider may have mapped a resource to a more general URI: a leading part of it that ends with a
    segment counts. A token that cannot be read is for whom the provider says it is.
    """
    claims = _claims(access_token)
    if not asked or claims is None:
        return
    value = claims.get("aud")
    audiences = [value] if isinstance(value, str) else value
    if not isinstance(audiences, list) or not any(
        isinstance(audience, str) and _covers(audience, name) for audience in audiences for name in asked
    ):
        raise InvalidProviderAnswer("token.audience")


def _covers(audience: str, asked: str) -> bool:
    general, whole = audience.rstrip("/"), asked.rstrip("/")
    return bool(general) and (
        general == whole or (_WITH_AUTHORITY.match(general) is not None and whole.startswith(f"{general}/"))
    )


def _claims(access_token: str) -> dict[str, Any] | None:
    parts = access_token.split(".")
    if len(parts) != 3:
        return None
    try:
        header = parse_object(decode(parts[0]), max_size=_MAX_PART)
        claims = parse_object(decode(parts[1]), max_size=_MAX_PART)
    except (ValueError, MalformedDocument):
        return None
    return claims if isinstance(header.get("alg"), str) else None


def _means_whatever_is_granted(scope: str) -> bool:
    return scope == _WHATEVER_IS_GRANTED or scope.endswith(f"/{_WHATEVER_IS_GRANTED}")
