"""A provider behind `httpx2.MockTransport`: honest and strict unless told otherwise, slow if told so.

Refresh tokens rotate, and a second use of one ends its family, as the most careful providers do it.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import httpx2

from bff.oauth.token_response import ACCESS_TOKEN_TYPE, TOKEN_EXCHANGE
from tests.support.signed_tokens import CLIENT_ID, ISSUER, NONCE, PrivateKey, key_set, public_jwk, rsa_key, sign

Handler = Callable[[httpx2.Request], httpx2.Response]


def answer(status: int = 200, /, **members: Any) -> httpx2.Response:
    """Return a JSON answer."""
    return httpx2.Response(status, json=members)


@dataclass
class ProviderDouble:
    """The provider's state, and what it was asked; `overrides` replace the handler of a path.

    `target_changes` and `target_errors` bend the answers about a resource, an audience or a scope.
    """

    clock: Callable[[], float]
    delay: float = 0.0
    lifetime: float | None = 300.0
    rotates: bool = True
    forgives_reuse: bool = False
    with_id_token: bool = True
    signing_key: PrivateKey = field(default_factory=rsa_key)
    signing_algorithm: str = "RS256"
    kid: str = "key-1"
    metadata: dict[str, Any] = field(default_factory=dict)
    id_token_changes: dict[str, Any] = field(default_factory=dict)
    token_changes: dict[str, Any] = field(default_factory=dict)
    target_changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    target_errors: dict[str, str] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=lambda: {"sub": "user-1", "name": "Ada"})
    overrides: dict[str, Handler] = field(default_factory=dict)
    requests: list[httpx2.Request] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    revoked: list[str] = field(default_factory=list)
    jwks: bytes | None = None
    latest_access_token: str = ""

    def __post_init__(self) -> None:
        self._live: dict[str, str] = {}
        self._spent: dict[str, str] = {}
        self._dead: set[str] = set()
        self._count = 0
        self._bend: dict[str, Any] = {}

    @property
    def transport(self) -> httpx2.MockTransport:
        """The provider as a transport."""
        return httpx2.MockTransport(self._handle)

    @property
    def reuse_detected(self) -> bool:
        """Whether a spent refresh token came again."""
        return bool(self._dead)

    def issue(self, family: str = "family") -> str:
        """Return a refresh token of the family."""
        self._count += 1
        token = f"refresh-{family}-{self._count}"
        self._live[token] = family
        return token

    def end_grants(self) -> None:
        """Forget every refresh token, as after a logout at the provider."""
        self._live.clear()

    def rotate_key(self, number: int, kid: str | None = None) -> None:
        """Sign with another key from now on, and publish nothing else."""
        self.signing_key = rsa_key(number)
        self.kid = kid or f"key-{number}"

    def forms(self, path: str) -> list[dict[str, str]]:
        """Return the forms that were posted to the path."""
        return [dict(parse_qsl(r.content.decode())) for r in self.requests if r.url.path == path]

    def id_token(self, **changes: Any) -> str:
        """Return a signed ID token; a change to `...` leaves a claim out."""
        now = int(self.clock())
        claims = {
            "iss": ISSUER,
            "sub": "user-1",
            "aud": CLIENT_ID,
            "exp": now + 300,
            "iat": now,
            **self.id_token_changes,
            **changes,
        }
        claims = {name: value for name, value in claims.items() if value is not ...}
        return sign(claims, algorithm=self.signing_algorithm, key=self.signing_key, kid=self.kid)

    async def _handle(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        self.requests.append(request)
        self.calls[path] += 1
        await asyncio.sleep(self.delay)
        handler = self.overrides.get(path) or self._handlers().get(path)
        return httpx2.Response(404) if handler is None else handler(request)

    def _handlers(self) -> Mapping[str, Handler]:
        return {
            "/.well-known/openid-configuration": self._metadata,
            "/jwks": self._jwks,
            "/token": self._token,
            "/userinfo": lambda request: answer(**self.userinfo),
            "/revoke": self._revoke,
            "/par": lambda request: answer(201, request_uri="urn:example:pushed", expires_in=60),
        }

    def _metadata(self, request: httpx2.Request) -> httpx2.Response:
        document = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/jwks",
            "userinfo_endpoint": f"{ISSUER}/userinfo",
            "revocation_endpoint": f"{ISSUER}/revoke",
            "end_session_endpoint": f"{ISSUER}/logout",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            **self.metadata,
        }
        return answer(**{name: value for name, value in document.items() if value is not ...})

    def _jwks(self, request: httpx2.Request) -> httpx2.Response:
        document = self.jwks or key_set(public_jwk(self.signing_key, kid=self.kid))
        return httpx2.Response(200, content=document, headers={"Content-Type": "application/jwk-set+json"})

    def _token(self, request: httpx2.Request) -> httpx2.Response:
        form = dict(parse_qsl(request.content.decode()))
        if form["grant_type"] == "authorization_code":
            return self._tokens("family", nonce=NONCE)
        if form["grant_type"] in ("client_credentials", TOKEN_EXCHANGE):
            return self._target_token(form)
        token = form["refresh_token"]
        family = self._spent.get(token)
        if family is not None and self.forgives_reuse:
            return self._tokens(family)
        if family is not None:
            self._dead.add(family)
            return answer(400, error="invalid_grant")
        family = self._live.get(token)
        if family is None or family in self._dead:
            return answer(400, error="invalid_grant")
        asked = form.get("resource") or form.get("audience") or form.get("scope")
        if asked in self.target_errors:
            return answer(400, error=self.target_errors[asked])
        if self.rotates:
            self._spent[token] = self._live.pop(token)
        self._bend = self.target_changes.get(asked or "", {})
        return self._tokens(family, rotated=self.rotates)

    def _target_token(self, form: dict[str, str]) -> httpx2.Response:
        asked = form.get("resource") or form.get("audience") or form.get("scope") or ""
        if asked in self.target_errors:
            return answer(400, error=self.target_errors[asked])
        self._count += 1
        members: dict[str, Any] = {
            "access_token": f"{'client' if form['grant_type'] == 'client_credentials' else 'exchanged'}-{self._count}",
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "issued_token_type": ACCESS_TOKEN_TYPE if form["grant_type"] == TOKEN_EXCHANGE else None,
            **self.target_changes.get(asked, {}),
        }
        return answer(**{name: value for name, value in members.items() if value is not None})

    def _tokens(self, family: str, *, rotated: bool = True, **claims: Any) -> httpx2.Response:
        self._count += 1
        self.latest_access_token = f"access-{self._count}"
        members: dict[str, Any] = {
            "access_token": self.latest_access_token,
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "refresh_token": self.issue(family) if rotated else None,
            "id_token": self.id_token(**claims) if self.with_id_token else None,
            **self.token_changes,
            **self._bend,
        }
        self._bend = {}
        return httpx2.Response(
            200,
            content=json.dumps({name: value for name, value in members.items() if value is not None}),
            headers={"Content-Type": "application/json"},
        )

    def _revoke(self, request: httpx2.Request) -> httpx2.Response:
        self.revoked.append(dict(parse_qsl(request.content.decode()))["token"])
        return httpx2.Response(200)
