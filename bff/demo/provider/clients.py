"""The registered clients and how they authenticate at the token endpoint."""

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization

from bff.demo.provider.errors import OAuthError

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
AUTHENTICATION_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt")


@dataclass
class Client:
    """A confidential client; `jwks` is its public key set, `secret` its shared one, either may be missing."""

    client_id: str
    name: str = "Timesheets"
    secret: str | None = None
    jwks: KeySetSerialization | None = None
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None


class ClientAuthentication:
    """Authenticates clients (RFC 6749 section 2.3, OpenID Connect Core 1.0 section 9)."""

    def __init__(self, clients: Mapping[str, Client], audiences: tuple[str, ...]) -> None:
        self._clients = clients
        self._audiences = audiences
        self._assertions_seen: dict[str, float] = {}

    def authenticate(self, authorization: str | None, form: Mapping[str, str], now: float) -> Client:
        """The client that proved itself by exactly one method; raises `OAuthError` `invalid_client`."""
        used = [authorization is not None, "client_secret" in form, "client_assertion" in form]
        if sum(used) > 1:
            raise OAuthError("invalid_request", "Use one client authentication method.")
        if authorization is not None:
            client = self._by_secret(*_basic_credentials(authorization))
        elif "client_secret" in form:
            client = self._by_secret(form.get("client_id", ""), form["client_secret"])
        elif "client_assertion" in form:
            client = self._by_assertion(form, now)
        else:
            raise _refused("Client authentication is required.")
        if form.get("client_id", client.client_id) != client.client_id:
            raise OAuthError("invalid_request", "client_id names another client.")
        return client

    def _by_secret(self, client_id: str, secret: str) -> Client:
        client = self._clients.get(client_id)
        expected = client.secret if client else None
        matches = secrets.compare_digest((expected or "").encode(), secret.encode())
        if client is None or expected is None or not matches:
            raise _refused("Unknown client or wrong secret.")
        return client

    def _by_assertion(self, form: Mapping[str, str], now: float) -> Client:
        """RFC 7523, section 3."""
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise _refused("client_assertion_type is not supported.")
        client_id = form.get("client_id") or _unverified_issuer(form["client_assertion"])
        client = self._clients.get(client_id)
        if client is None or client.jwks is None:
            raise _refused("Unknown client, or one without a registered key.")
        try:
            keys = KeySet.import_key_set(client.jwks)
            decoded = jwt.decode(form["client_assertion"], keys, algorithms=list(ASSERTION_ALGORITHMS))
        except (JoseError, ValueError, TypeError) as fault:
            raise _refused("The client assertion's signature is not valid.") from fault
        self._check_assertion(decoded.claims, client_id, now)
        return client

    def _check_assertion(self, claims: dict[str, Any], client_id: str, now: float) -> None:
        if claims.get("iss") != client_id or claims.get("sub") != client_id:
            raise _refused("iss and sub must both be the client_id.")
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if not any(value in self._audiences for value in audiences):
            raise _refused("The client assertion is meant for another audience.")
        expiry = claims.get("exp")
        if not isinstance(expiry, int | float) or not now < expiry <= now + 86400:
            raise _refused("The client assertion has expired or lives too long.")
        identifier = claims.get("jti")
        self._assertions_seen = {jti: exp for jti, exp in self._assertions_seen.items() if exp > now}
        if not isinstance(identifier, str) or identifier in self._assertions_seen:
            raise _refused("The client assertion has no jti or was used before.")
        self._assertions_seen[identifier] = float(expiry)


def _refused(description: str) -> OAuthError:
    return OAuthError("invalid_client", description, status=401)


def _basic_credentials(authorization: str) -> tuple[str, str]:
    """RFC 6749, section 2.3.1: both parts are form-encoded before they are joined."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise _refused("Only the Basic scheme is understood.")
    try:
        client_id, separator, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as fault:
        raise _refused("The Basic credentials are malformed.") from fault
    if not separator:
        raise _refused("The Basic credentials are malformed.")
    return unquote_plus(client_id), unquote_plus(secret)


def _unverified_issuer(assertion: str) -> str:
    try:
        payload = assertion.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["iss"])
    except (IndexError, KeyError, TypeError, ValueError) as fault:
        raise _refused("The client assertion is malformed.") from fault
