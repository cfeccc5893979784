"""A gateway, a provider that can lie and remembers what it was asked, and a browser: the stage of one module."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from bff.oauth.base64url import decode
from tests.support.asgi_call import Answer
from tests.support.gateway_browser import Browser, Site, running_site
from tests.support.provider_double import ProviderDouble
from tests.support.signed_tokens import CLIENT_ID, ISSUER, key_for, segment, sign
from tests.support.virtual_time import clock

LATER = 60.0
"""Seconds after which nothing of a login is under way any more."""

DOCUMENTS = ("/.well-known/openid-configuration", "/jwks")
"""What a gateway may fetch at any time."""

CLIENT_KEY = json.dumps({**key_for("ES256").as_dict(private=True), "kid": "client-1"})
FAPI_METADATA = {
    "pushed_authorization_request_endpoint": f"{ISSUER}/par",
    "dpop_signing_alg_values_supported": ["ES256"],
    "id_token_signing_alg_values_supported": ["PS256"],
    "token_endpoint_auth_methods_supported": ["private_key_jwt"],
    "token_endpoint_auth_signing_alg_values_supported": ["PS256", "ES256"],
    "authorization_response_iss_parameter_supported": True,
    "authorization_signing_alg_values_supported": ["PS256"],
    "request_object_signing_alg_values_supported": ["PS256", "ES256"],
    "response_modes_supported": ["query", "jwt"],
}
FAPI = {"client_auth": "private_key_jwt", "client_key": CLIENT_KEY, "client_secret": "", "scopes": "openid accounts"}

Claims = dict[str, Any]


class Play:
    """One module on its stage."""

    def __init__(self, site: Site, caplog: pytest.LogCaptureFixture) -> None:
        self.site = site
        self.provider: ProviderDouble = site.provider
        self.browser: Browser = site.browser()
        self._caplog = caplog

    def lie(self, **changes: Any) -> None:
        """Issue ID tokens with these claims, truly signed; `...` leaves one out."""
        self.forge(lambda claims: self.sign({**claims, **changes}))

    def forge(self, make: Callable[[Claims], str]) -> None:
        """Issue what is made of the claims of an honest ID token."""

        def id_token(**claims: Any) -> str:
            now = int(clock())
            return make({"iss": ISSUER, "sub": "user-1", "aud": CLIENT_ID, "exp": now + 300, "iat": now, **claims})

        setattr(self.provider, "id_token", id_token)  # noqa: B010 -- a method of the double

    def sign(self, claims: Claims, *, algorithm: str | None = None, **header: Any) -> str:
        """Sign as the provider does."""
        claims = {name: value for name, value in claims.items() if value is not ...}
        algorithm = algorithm or self.provider.signing_algorithm
        return sign(claims, algorithm=algorithm, key=self.provider.signing_key, **{"kid": self.provider.kid, **header})

    async def begin(self) -> dict[str, str]:
        """Begin a login; return the parameters of the authorization request, wherever they are."""
        answer = await self.browser.navigate("/bff/login")
        assert answer.status == 302, answer
        parameters = dict(parse_qsl(urlsplit(answer["location"]).query))
        if "request_uri" not in parameters:
            return parameters
        assert parameters.keys() == {"client_id", "request_uri"}
        (*_, pushed) = self.provider.forms("/par")
        return _claims(pushed["request"]) if "request" in pushed else pushed

    async def come_back(self, request: dict[str, str], **response: Any) -> Answer:
        """Come back from the provider; `...` leaves a parameter of the answer out."""
        parameters = {"code": request["nonce"], "state": request["state"], "iss": ISSUER, **response}
        query = urlencode({name: value for name, value in parameters.items() if value is not ...})
        return await self.browser.navigate(f"/bff/callback?{query}", site="cross-site")

    async def come_back_signed(self, request: dict[str, str], *, token: str | None = None, **changes: Any) -> Answer:
        """Come back with an answer that is signed, or with the token instead of it."""
        claims = {"iss": ISSUER, "aud": CLIENT_ID, "exp": int(clock()) + 60, **_code(request), **changes}
        query = urlencode({"response": token or self.sign(claims)})
        return await self.browser.navigate(f"/bff/callback?{query}", site="cross-site")

    async def log_in(self, **response: Any) -> Answer:
        """Log in."""
        return await self.come_back(await self.begin(), **response)

    async def accepted(self, answer: Answer) -> None:
        """Whether the login led to a session."""
        assert answer.status == 303, answer
        assert (await self.browser.session())["authenticated"] is True

    async def refused(self, answer: Answer, reason: str, *, asked_last: str) -> None:
        """Whether the login led nowhere for this reason, and nobody was asked after `asked_last`."""
        assert answer.status == 400, answer
        fields = [vars(record)["event_fields"] for record in self._caplog.records if record.msg == "request.refused"]
        assert fields[-1]["reason"] == reason
        assert (await self.browser.session())["authenticated"] is False
        await asyncio.sleep(LATER)
        assert self.asked[-1] == asked_last

    @property
    def asked(self) -> list[str]:
        """The paths of the provider's endpoints in the order in which they were asked on behalf of a login."""
        return [path for path in self._paths if path not in DOCUMENTS]

    @property
    def fetched(self) -> list[str]:
        """The documents that were fetched, in order."""
        return [path for path in self._paths if path in DOCUMENTS]

    @property
    def _paths(self) -> list[str]:
        return [request.url.path for request in self.provider.requests]


def unsigned(claims: Claims) -> str:
    """Return a token that says that it is not signed."""
    return f"{segment({'alg': 'none', 'typ': 'JWT'})}.{segment(claims)}."


def openid(
    caplog: pytest.LogCaptureFixture, metadata: dict[str, Any] | None = None, **variables: str
) -> AbstractAsyncContextManager[Play]:
    """Play with an OpenID client that asks UserInfo always."""
    return _playing(caplog, {"revocation_endpoint": ..., **(metadata or {})}, {"userinfo": "on", **variables})


@asynccontextmanager
async def fapi(
    caplog: pytest.LogCaptureFixture, profile: str = "fapi2", metadata: dict[str, Any] | None = None
) -> AsyncIterator[Play]:
    """Play with a client under a FAPI profile."""
    members = {"revocation_endpoint": ..., **FAPI_METADATA, **(metadata or {})}
    async with _playing(caplog, members, {**FAPI, "profile": profile}) as play:
        play.provider.token_changes = {"token_type": "DPoP"}
        play.provider.signing_algorithm = "PS256"
        yield play


def signed(caplog: pytest.LogCaptureFixture) -> AbstractAsyncContextManager[Play]:
    """Play with a client whose requests and responses are signed."""
    return fapi(caplog, "fapi2-message-signing")


@asynccontextmanager
async def _playing(
    caplog: pytest.LogCaptureFixture, metadata: dict[str, Any], variables: dict[str, Any]
) -> AsyncIterator[Play]:
    async with running_site(metadata=metadata, **variables) as site:
        yield Play(site, caplog)


def _claims(token: str) -> dict[str, str]:
    claims: dict[str, str] = json.loads(decode(token.split(".")[1]))
    return claims


def _code(request: dict[str, str]) -> dict[str, str]:
    return {"code": request["nonce"], "state": request["state"]}
