"""The peers' identity provider, the development provider, and the login through it, as a browser does it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from http.cookiejar import Cookie
from urllib.parse import urlsplit

import httpx2

from bench.stage import Stage, python

CLIENT_ID = "bench"
MAXIMUM_REDIRECTS = 12
NAVIGATION = {
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Accept": "text/html",
}


class LoginFailed(Exception):
    """The scripted browser did not come back logged in; the message says where it stopped."""


@dataclass(frozen=True)
class Registration:
    """What a peer has to know of the provider."""

    issuer: str
    client_id: str
    client_secret: str

    @property
    def discovery_url(self) -> str:
        """Where the provider's metadata are."""
        return f"{self.issuer}/.well-known/openid-configuration"


def register(stage: Stage, name: str, redirect_uri: str) -> Registration:
    """Start a provider that knows this one client and logs its user in without pages; tokens outlive the run."""
    port, secret = stage.port(), secrets.token_urlsafe(24)
    issuer = f"http://127.0.0.1:{port}"
    command = [
        *(python(), "-m", "bff.demo.provider", "--port", str(port), "--issuer", issuer),
        *("--client-id", CLIENT_ID, "--redirect-uri", redirect_uri),
        *("--auto-login", "alice", "--access-token-lifetime", "86400"),
    ]
    registration = Registration(issuer, CLIENT_ID, secret)
    stage.start(
        f"provider-of-{name}",
        command,
        cores=stage.cores.load,
        variables={"PROVIDER_CLIENT_SECRET": secret},
        ready_url=registration.discovery_url,
    )
    return registration


def log_in(url: str) -> str:
    """Open a protected page, follow where it leads, and return the value of the Cookie field for the peer."""
    origin = urlsplit(url)
    with httpx2.Client(trust_env=False, timeout=15.0) as browser:
        response = browser.get(url, headers=NAVIGATION)
        for _ in range(MAXIMUM_REDIRECTS):
            if response.next_request is None:
                break
            response = browser.get(response.next_request.url, headers=NAVIGATION)
        ended_at = urlsplit(str(response.url))
        if response.status_code != httpx2.codes.OK or ended_at.netloc != origin.netloc:
            where = f"{ended_at.scheme}://{ended_at.netloc}{ended_at.path}"
            raise LoginFailed(f"the login ended with {response.status_code} at {where}: {response.text[:300]}")
        # Ports do not part cookies: the provider's own are in the same jar.
        cookies = [cookie for cookie in browser.cookies.jar if _is_of_the_peer(cookie)]
    if not cookies:
        raise LoginFailed("the login left no cookie")
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies)


def _is_of_the_peer(cookie: Cookie) -> bool:
    return not cookie.name.startswith("provider_") and cookie.value not in (None, "")
