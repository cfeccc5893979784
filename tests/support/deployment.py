"""One gateway as an operator runs it, in front of one realm and one API, and browsers whose every answer is noted."""

from __future__ import annotations

import functools
import json
import secrets
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from bff.demo.child import clean_environment
from tests.certification.browser import Browser, Visit, origin_of
from tests.certification.upstream import ApiCall, Upstream
from tests.support.certificates import authority_certificate
from tests.support.leaks import Ledger
from tests.support.lying_provider import Realm
from tests.support.processes import GatewayServer, reserve_port, running
from tests.support.realm_log import Login

RETURN_TO = "/here"


class WatchedBrowser(Browser):
    """A browser with an open tab at the gateway's origin; it tells the ledger what the gateway answers."""

    def __init__(self, origin: str, ledger: Ledger) -> None:
        super().__init__(_trust())
        self.origin = origin
        self.page = f"{origin}/"
        self._ledger = ledger

    def _exchange(self, method: str, url: str, headers: dict[str, str], **options: Any) -> Visit:
        visit = super()._exchange(method, url, headers, **options)
        if origin_of(url) == self.origin:
            self._ledger.answered(method, url, visit.headers.multi_items(), visit.body)
        return visit

    def session(self) -> dict[str, Any]:
        """What the gateway tells the application about the session."""
        visit = self.fetch("/bff/session")
        assert visit.status == 200
        document: dict[str, Any] = visit.json()
        return document

    def holds_session_cookie(self) -> bool:
        """Whether the browser has a cookie that is not one of a login under way."""
        return any("-login-" not in name for name in self.cookies.names("localhost"))


@dataclass(frozen=True)
class Attempt:
    """A login from the gateway's login endpoint to wherever it led."""

    browser: WatchedBrowser
    visits: list[Visit]

    @property
    def callback(self) -> Visit:
        """The gateway's answer to the authorization response."""
        # An answer that was posted from another site is posted again from our own.
        *_, visit = [visit for visit in self.visits if visit.path == "/bff/callback"]
        return visit


@dataclass(frozen=True)
class Deployment:
    """A gateway, the realm it trusts, the API behind it."""

    gateway: GatewayServer
    realm: Realm
    api: Upstream
    ledger: Ledger

    def browser(self) -> WatchedBrowser:
        """A browser that was never here."""
        return WatchedBrowser(self.gateway.public_url, self.ledger)

    def log_in(self, name: str, browser: WatchedBrowser | None = None, **parameters: str) -> Attempt:
        """Follow a login link as the user `name`, wherever it leads."""
        browser = browser or self.browser()
        return Attempt(browser, browser.follow(login_path(name, **parameters)))

    def call_api(self, browser: WatchedBrowser, name: str) -> Visit:
        """Call the API under a path of this name."""
        return browser.fetch(f"/api/{name}")

    def api_calls(self, name: str) -> list[ApiCall]:
        """What reached the API under this name."""
        return [call for call in self.api.calls if call.path == f"/{name}"]

    def login(self, name: str) -> Login:
        """What the provider knows of the one login of this user."""
        return self.realm.login(name)

    @property
    def public_host(self) -> str:
        """The Host field of requests to the public URL."""
        return urlsplit(self.gateway.public_url).netloc

    def refusal(self, visit: Visit) -> str:
        """The reason the gateway's log gives for this answer."""
        return self.reason_of(visit.headers["x-request-id"])

    def reason_of(self, request_id: str) -> str:
        """The reason the gateway's log gives for refusing this request, `None` if it did not."""
        return str(self._logged("request.refused", request_id).get("reason"))

    def _logged(self, event: str, request_id: str) -> Mapping[str, Any]:
        for line in self.gateway.output().splitlines():
            if request_id in line:
                record: dict[str, Any] = json.loads(line)
                if record.get("event") == event and record.get("request_id") == request_id:
                    return record
        return {}


def login_path(name: str, **parameters: str) -> str:
    """The login link for the user `name`."""
    return f"/bff/login?{urlencode({'login_hint': name, 'return_to': RETURN_TO, **parameters})}"


@contextmanager
def deployed(
    realm: Realm,
    api: Upstream,
    ledger: Ledger,
    *,
    redis_url: str | None = None,
    ready_path: str = "/readyz",
    **variables: str | None,
) -> Iterator[Deployment]:
    """`bff serve` for this realm with a debug log, at `localhost`: for the provider at `127.0.0.1` another site.

    `variables` are further settings, None to leave one out.
    """
    port = reserve_port()
    url = f"http://127.0.0.1:{port}"
    public_url = f"http://localhost:{port}"
    secret_key = ledger.secret("secret key", secrets.token_urlsafe(32))
    settings = {
        "BFF_PUBLIC_URL": public_url,
        "BFF_PORT": str(port),
        "BFF_ISSUER": realm.issuer,
        "BFF_CLIENT_ID": realm.client_id,
        "BFF_CLIENT_SECRET": realm.client_secret,
        "BFF_SECRET_KEYS": secret_key,
        "BFF_UPSTREAM_URL": api.url,
        "BFF_LOG_LEVEL": "debug",
        "BFF_REDIS_URL": redis_url,
        **variables,
    }
    environment = {name: value for name, value in settings.items() if value is not None}
    with running("gateway", [sys.executable, "-m", "bff", "serve"], clean_environment(**environment)) as child:
        child.wait_until_ready(f"{url}{ready_path}")
        gateway = GatewayServer(url, port, child, f"{url}{ready_path}", public_url, environment)
        yield Deployment(gateway, realm, api, ledger)


@functools.cache
def _trust() -> ssl.SSLContext:
    # Making one reads all of the system's authorities.
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=authority_certificate().decode())
    return context
