"""What the provider has granted: codes, refresh tokens and the families they belong to, in memory."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from bff.demo.provider.errors import OAuthError
from bff.demo.users import User

CODE_LIFETIME = 60.0


@dataclass
class Grant:
    """One authorization by a user; every token that stems from it dies with it.

    `resources` are the APIs that the request named (RFC 8707); `acr` is the context of the login.
    """

    client_id: str
    user: User
    scope: tuple[str, ...]
    audience: str
    session_id: str
    auth_time: int
    resources: tuple[str, ...] = ()
    acr: str | None = None
    nonce: str | None = None
    ended: bool = False
    grant_id: str = field(default_factory=lambda: secrets.token_hex(8))


@dataclass
class AuthorizationCode:
    """A code and what it is bound to; `expires_at` in seconds since the epoch."""

    grant: Grant
    redirect_uri: str
    code_challenge: str
    expires_at: float
    redeemed: bool = False


@dataclass
class RefreshToken:
    """A refresh token; once rotated, its return means that it was stolen."""

    grant: Grant
    rotated: bool = False


class Grants:
    """Issues and redeems codes and refresh tokens; a reuse ends the whole family (RFC 9700, section 4.14)."""

    def __init__(self, record: Callable[..., None]) -> None:
        self._record = record
        self._codes: dict[str, AuthorizationCode] = {}
        self._refresh_tokens: dict[str, RefreshToken] = {}
        self._access_tokens: dict[str, Grant] = {}

    def issue_code(self, grant: Grant, redirect_uri: str, code_challenge: str, now: float) -> str:
        """A new code, good once within `CODE_LIFETIME` seconds."""
        code = secrets.token_urlsafe(32)
        self._codes[code] = AuthorizationCode(grant, redirect_uri, code_challenge, now + CODE_LIFETIME)
        return code

    def code(self, value: str, client_id: str, now: float) -> AuthorizationCode:
        """The live code of `client_id`; raises `OAuthError` `invalid_grant`, and ends the grant on reuse."""
        found = self._codes.get(value)
        if found is None or found.grant.client_id != client_id:
            raise OAuthError("invalid_grant", "The code is unknown.")
        if found.redeemed:
            self._record("code_reuse", grant=found.grant.grant_id, client_id=client_id)
            self.end(found.grant, "code reuse")
            raise OAuthError("invalid_grant", "The code was used before; all its tokens are revoked.")
        if found.expires_at <= now:
            raise OAuthError("invalid_grant", "The code has expired.")
        return found

    def issue_refresh_token(self, grant: Grant) -> str:
        """A new refresh token of `grant`."""
        value = secrets.token_urlsafe(32)
        self._refresh_tokens[value] = RefreshToken(grant)
        return value

    def refresh_token(self, value: str, client_id: str) -> RefreshToken:
        """The live refresh token of `client_id`; raises `OAuthError` and, on reuse, ends the family."""
        found = self._refresh_tokens.get(value)
        if found is None or found.grant.client_id != client_id:
            raise OAuthError("invalid_grant", "The refresh token is unknown.")
        if found.rotated:
            self._record("refresh_token_reuse", grant=found.grant.grant_id, client_id=client_id)
            self.end(found.grant, "refresh token reuse")
            raise OAuthError("invalid_grant", "The refresh token was used before; all its family is revoked.")
        if found.grant.ended:
            raise OAuthError("invalid_grant", "The grant has ended.")
        return found

    def note_access_token(self, token_id: str, grant: Grant) -> None:
        """Remember which grant an access token's `jti` belongs to."""
        self._access_tokens[token_id] = grant

    def grant_of_access_token(self, token_id: str) -> Grant | None:
        """The grant of a living access token."""
        grant = self._access_tokens.get(token_id)
        return None if grant is None or grant.ended else grant

    def revoke_refresh_token(self, value: str, client_id: str) -> bool:
        """End the refresh token's family; whether there was one of this client (RFC 7009, section 2.1)."""
        found = self._refresh_tokens.get(value)
        if found is None or found.grant.client_id != client_id:
            return False
        self._record("revocation", kind="refresh_token", grant=found.grant.grant_id)
        self.end(found.grant, "refresh token revoked")
        return True

    def revoke_access_token(self, token_id: str, client_id: str) -> bool:
        """Forget one access token; whether there was one of this client."""
        grant = self._access_tokens.get(token_id)
        if grant is None or grant.client_id != client_id:
            return False
        del self._access_tokens[token_id]
        self._record("revocation", kind="access_token", grant=grant.grant_id)
        return True

    def end(self, grant: Grant, reason: str) -> None:
        """End a grant and all its tokens."""
        if not grant.ended:
            grant.ended = True
            self._record("grant_ended", grant=grant.grant_id, sub=grant.user.subject, reason=reason)

    def of_session(self, session_id: str) -> list[Grant]:
        """The grants made within one browser session, ended ones included."""
        grants = {code.grant.grant_id: code.grant for code in self._codes.values()}
        return [grant for grant in grants.values() if grant.session_id == session_id]
