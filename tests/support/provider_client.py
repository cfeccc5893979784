"""A client and a browser for the provider, without sockets."""

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from re import search
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
from joserfc import jwt
from joserfc.jwk import KeySet

from bff.demo.provider import Client, Policy, create_provider

ISSUER = "http://127.0.0.1:9000"
REDIRECT_URI = "http://localhost:8000/bff/callback"
AFTER_LOGOUT = "http://localhost:8000/"
BACKCHANNEL = "http://localhost:8000/bff/backchannel-logout"
CLIENT_ID = "timesheets"
SECRET = "s3cret:with%odd+characters"
AUDIENCE = "https://timesheets.example/api"
VERIFIER = "verifier-verifier-verifier-verifier-verifier"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
SCOPE = "openid profile email offline_access read:timesheets create:timesheets approve:timesheets"


class Clock:
    """Seconds since the epoch, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class ProviderClient:
    """Speaks to one provider as a browser (`browser`) and as the relying party (`http`)."""

    def __init__(self, transport: httpx2.ASGITransport, clock: Clock, logout_tokens: list[str]) -> None:
        self.clock = clock
        self.logout_tokens = logout_tokens
        self.browser = httpx2.AsyncClient(transport=transport, base_url=ISSUER)
        self.http = httpx2.AsyncClient(transport=transport, base_url=ISSUER)

    async def authorize(self, **changes: str | None) -> httpx2.Response:
        """An authorization request; a change of None leaves the parameter out."""
        parameters: dict[str, str | None] = {
            "client_id": CLIENT_ID,
            "redirect_uri": REDIRECT_URI,
            "response_type": "code",
            "scope": SCOPE,
            "state": "some-state",
            "nonce": "some-nonce",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changes,
        }
        sent = {name: value for name, value in parameters.items() if value is not None}
        return await self.browser.get("/authorize", params=sent)

    async def submit(self, page: httpx2.Response, **chosen: str) -> httpx2.Response:
        """Send the page's form."""
        action = search(r'action="([^"]+)"', page.text)
        token = search(r'name="form" value="([^"]+)"', page.text)
        assert action is not None
        assert token is not None
        return await self.browser.post(unescape(action[1]), data={"form": unescape(token[1]), **chosen})

    async def code(self, username: str, **changes: str | None) -> str:
        """Log in and consent; the code."""
        page = await self.authorize(**changes)
        if page.status_code == 200 and "Log in" in page.text:
            page = await self.submit(page, username=username)
        if page.status_code == 200:
            page = await self.submit(page, allow="1")
        return answer_of(page)["code"]

    async def token(self, **form: str) -> httpx2.Response:
        """A token request with client_secret_post."""
        return await self.http.post("/token", data={"client_id": CLIENT_ID, "client_secret": SECRET, **form})

    async def redeem(self, code: str, **changes: str) -> httpx2.Response:
        """Redeem a code."""
        form = {"redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER, **changes}
        return await self.token(grant_type="authorization_code", code=code, **form)

    async def refresh(self, refresh_token: str, **changes: str) -> httpx2.Response:
        """Redeem a refresh token."""
        return await self.token(grant_type="refresh_token", refresh_token=refresh_token, **changes)

    async def log_in(self, username: str, **changes: str | None) -> dict[str, Any]:
        """Log in and redeem the code; the tokens."""
        answer = await self.redeem(await self.code(username, **changes))
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    async def verified(self, token: str) -> jwt.Token:
        """A token's header and claims, its signature checked."""
        keys = KeySet.import_key_set((await self.http.get("/jwks")).json())
        return jwt.decode(token, keys, algorithms=["RS256"])


@asynccontextmanager
async def provider_client(**options: Any) -> AsyncIterator[ProviderClient]:
    """A fresh provider with one client; `options` are policy fields or `client` fields."""
    clock, logout_tokens = Clock(), list[str]()

    def receive_logout(request: httpx2.Request) -> httpx2.Response:
        assert str(request.url) == BACKCHANNEL
        logout_tokens.append(dict(parse_qsl(request.content.decode()))["logout_token"])
        return httpx2.Response(200)

    client = Client(
        CLIENT_ID,
        secret=SECRET,
        redirect_uris=(REDIRECT_URI,),
        post_logout_redirect_uris=(AFTER_LOGOUT,),
        backchannel_logout_uri=BACKCHANNEL,
        jwks=options.pop("jwks", None),
    )
    application = create_provider(
        ISSUER,
        [client],
        audience=(AUDIENCE, "https://other.example/api"),
        policy=Policy(**options),
        clock=clock,
        transport=httpx2.MockTransport(receive_logout),
    )
    yield ProviderClient(httpx2.ASGITransport(application), clock, logout_tokens)


def answer_of(response: httpx2.Response) -> dict[str, str]:
    """The parameters of an authorization response."""
    assert response.status_code == 303, response.text
    location = urlsplit(response.headers["location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == REDIRECT_URI
    return dict(parse_qsl(location.query, strict_parsing=True))
