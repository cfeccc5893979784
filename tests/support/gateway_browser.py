"""A whole gateway in this process, and a browser that keeps and sends cookies by the rules of RFC 6265bis."""

from __future__ import annotations

import asyncio
import io
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import httpx2

from bff.app import create_app
from bff.errors import StoreUnavailable
from bff.gateway import Gateway
from bff.logs import LineWriter
from bff.session.store import SessionStore
from bff.stores.memory import MemoryStore
from tests.support.asgi_call import Answer, Fields, call
from tests.support.provider_double import ProviderDouble
from tests.support.provider_settings import provider_settings
from tests.support.signed_tokens import ISSUER
from tests.support.virtual_time import clock

SESSION_COOKIE = "__Host-Http-bff"
LOGIN_COOKIE_PREFIX = "__Host-Http-bff-login-"


class FaultyStore:
    """A store whose methods named in `failing` raise `StoreUnavailable`; `"*"` stands for all of them.

    `calls` are those that requests make.
    """

    def __init__(self, inner: SessionStore) -> None:
        self._inner = inner
        self.failing: set[str] = set()
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name != "listen":
            self.calls.append(name)
        if not self.failing & {name, "*"}:
            return getattr(self._inner, name)
        return self._failed_read if name == "read" else self._fail

    async def _fail(self, *_arguments: object, **_named: object) -> None:
        raise StoreUnavailable("store.test")

    def _failed_read(self, _key: str) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_exception(StoreUnavailable("store.test"))
        return future


@dataclass
class Site:
    """A gateway, its provider and its store; `log` is all that was logged for requests."""

    gateway: Gateway
    provider: ProviderDouble
    store: FaultyStore
    log: io.StringIO

    def browser(self) -> Browser:
        """Return a browser without cookies."""
        return Browser(self)

    async def call(self, method: str, target: str | bytes, fields: Fields = (), **arguments: Any) -> Answer:
        """Send one request as it is."""
        return await call(self.gateway, method, target, fields, **arguments)

    def count(self, metric: str, label: str) -> int:
        """Return how often something was counted under the value of the metric's only label."""
        return sum(
            int(sample.value)
            for family in self.gateway.metrics.collect()
            for sample in family.samples
            if sample.name == f"bff_{metric}_total" and label in sample.labels.values()
        )

    def session_count(self) -> int:
        """Return how many records, tombstones left out, are in the store."""
        sessions = cast("MemoryStore", self.store._inner)._sessions
        return sum(type(sessions.get(key)).__name__ == "StoredSession" for key in list(sessions._entries))


@asynccontextmanager
async def running_site(
    *,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    beside: Site | None = None,
    metadata: dict[str, Any] | None = None,
    **variables: str,
) -> AsyncIterator[Site]:
    """Run a gateway over a memory store and a provider double, on virtual time.

    It shares the store of `beside`; `metadata` are changes of the provider's from the start.
    """
    double = ProviderDouble(clock=clock, metadata=metadata or {})
    store = FaultyStore(MemoryStore(clock)) if beside is None else beside.store
    log = io.StringIO()
    gateway = create_app(
        provider_settings(**variables),
        clock=clock,
        random_bytes=random_bytes,
        store=cast("SessionStore", store),
        provider_transport=double.transport,
        log_lines=LineWriter(log),
    )
    site = Site(gateway, double, store, log)

    def redeem(request: httpx2.Request) -> httpx2.Response:
        form = dict(parse_qsl(request.content.decode()))
        if form["grant_type"] != "authorization_code":
            return double._token(request)
        return double._tokens("family", nonce=form["code"])

    double.overrides["/token"] = redeem
    gateway.start()
    try:
        yield site
    finally:
        store.failing.clear()
        await gateway.close()


class Browser:
    """Keeps cookies as they are set, and sends them as far as `SameSite` lets them go."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.cookies: dict[str, tuple[str, str]] = {}

    async def navigate(
        self, target: str, *, site: str = "same-origin", method: str = "GET", body: bytes = b"", fields: Fields = ()
    ) -> Answer:
        """Go to an address of the gateway; `site` is where the navigation comes from, as in `Sec-Fetch-Site`."""
        navigation = [
            ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
            ("Sec-Fetch-Mode", "navigate"),
            ("Sec-Fetch-Dest", "document"),
            ("Sec-Fetch-Site", site),
        ]
        return await self._send(method, target, [*navigation, *fields], site=site, body=body)

    async def fetch(
        self, method: str, target: str, *, site: str = "same-origin", fields: Fields = (), body: bytes = b""
    ) -> Answer:
        """Call an endpoint from a script."""
        metadata = [
            ("Accept", "*/*"),
            ("Sec-Fetch-Mode", "cors"),
            ("Sec-Fetch-Dest", "empty"),
            ("Sec-Fetch-Site", site),
        ]
        return await self._send(method, target, [*metadata, *fields], site=site, body=body)

    async def begin(self, query: str = "", *, site: str = "same-origin") -> dict[str, str]:
        """Begin a login; return the parameters of the authorization request."""
        answer = await self.navigate(f"/bff/login{query}", site=site)
        assert answer.status == 302, answer
        location = urlsplit(answer["location"])
        assert f"{location.scheme}://{location.netloc}{location.path}" == f"{ISSUER}/authorize"
        return dict(parse_qsl(location.query))

    async def finish(self, request: dict[str, str], *, site: str = "cross-site", **changes: str) -> Answer:
        """Come back from the provider with a code (which tells the provider double the nonce)."""
        parameters = {"code": request["nonce"], "state": request["state"], "iss": ISSUER, **changes}
        query = str(httpx2.QueryParams(parameters))
        return await self.navigate(f"/bff/callback?{query}", site=site)

    async def sign_in(self, query: str = "") -> Answer:
        """Log in; return the callback's answer."""
        answer = await self.finish(await self.begin(query))
        assert answer.status == 303, answer
        return answer

    async def session(self) -> Any:
        """Return what the application is told of the session."""
        answer = await self.fetch("GET", "/bff/session")
        assert answer.status == 200, answer
        return answer.json

    @property
    def login_cookies(self) -> list[str]:
        """The names of the login cookies."""
        return [name for name in self.cookies if name.startswith(LOGIN_COOKIE_PREFIX)]

    @property
    def session_cookie(self) -> str | None:
        """The session cookie's value."""
        return self.cookies[SESSION_COOKIE][0] if SESSION_COOKIE in self.cookies else None

    async def _send(self, method: str, target: str, fields: list[tuple[str, str]], *, site: str, body: bytes) -> Answer:
        sent = [
            f"{name}={value}"
            for name, (value, same_site) in self.cookies.items()
            if site != "cross-site" or (same_site == "Lax" and method == "GET")
        ]
        cookie = [("Cookie", "; ".join(sent))] if sent else []
        answer = await call(self.site.gateway, method, target, [*fields, *cookie], body=body)
        for line in answer.all("set-cookie"):
            self._keep(line)
        return answer

    def _keep(self, line: str) -> None:
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        assert len(name) + len(value) <= 4096
        assert name.startswith("__Host-Http-")
        assert {"Path=/", "HttpOnly", "Secure"} <= set(attributes), line
        assert not any(attribute.startswith("Domain") for attribute in attributes)
        (same_site,) = [attribute[9:] for attribute in attributes if attribute.startswith("SameSite=")]
        if "Max-Age=0" in attributes:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = (value, same_site)
