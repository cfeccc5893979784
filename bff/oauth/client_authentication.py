"""How the gateway proves to the provider that it is the client (RFC 6749 2.3, RFC 7523 2.2, RFC 8705 2)."""

from __future__ import annotations

import base64
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote_plus

from bff.oauth.base64url import encode
from bff.oauth.signing_key import SigningKey, signed_by_one_of

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME = 60

MUTUAL_TLS = frozenset({"tls_client_auth", "self_signed_tls_client_auth"})
METHODS = frozenset({"client_secret_basic", "client_secret_post", "private_key_jwt"}) | MUTUAL_TLS


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class ClientAuthentication:
    """The client's identifier, one of `METHODS`, and the secret or the keys (newest first) it needs.

    With mutual TLS the connection is the proof (RFC 8705 section 2); the request names the client alone.
    """

    client_id: str
    method: str
    secret: str | None = None
    keys: tuple[SigningKey, ...] = ()

    def __post_init__(self) -> None:
        needed = self.keys if self.method == "private_key_jwt" else self.secret
        if self.method not in METHODS or not (needed or self.method in MUTUAL_TLS):
            raise ValueError(f"{self.method} cannot be used with what is configured")

    def apply(
        self,
        form: MutableMapping[str, str],
        headers: MutableMapping[str, str],
        *,
        audience: str,
        now: float,
        random_bytes: Callable[[int], bytes],
        algorithms: Sequence[str] | None = None,
    ) -> None:
        """Add the proof to a request's form or headers.

        `audience` is the issuer identifier, `algorithms` what the provider lists for client assertions, None if it
        lists nothing. Raises `ClientRefused` if none of the keys can sign with any of them.
        """
        if self.method == "client_secret_basic":
            headers["Authorization"] = f"Basic {self._basic_credentials()}"
            return
        form["client_id"] = self.client_id
        if self.method in MUTUAL_TLS:
            return
        if self.method == "client_secret_post":
            form["client_secret"] = str(self.secret)
            return
        form["client_assertion_type"] = ASSERTION_TYPE
        form["client_assertion"] = self._assertion(audience, now, random_bytes, algorithms)

    def _basic_credentials(self) -> str:
        # Both parts are form-encoded first, or a colon in the identifier would move into the secret.
        credentials = f"{quote_plus(self.client_id)}:{quote_plus(str(self.secret))}"
        return base64.b64encode(credentials.encode("ascii")).decode("ascii")

    def _assertion(
        self,
        audience: str,
        now: float,
        random_bytes: Callable[[int], bytes],
        algorithms: Sequence[str] | None,
    ) -> str:
        issued_at = int(now)
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": audience,
            "jti": encode(random_bytes(16)),
            "iat": issued_at,
            "exp": issued_at + ASSERTION_LIFETIME,
        }
        return signed_by_one_of(self.keys, claims, algorithms=algorithms)
