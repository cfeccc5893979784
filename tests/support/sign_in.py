"""A signed-in browser for integration tests, without a screen."""

from urllib.parse import urljoin

import httpx2

from tests.support.leaks import SEEN
from tests.support.processes import GatewayServer

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
NAVIGATION = {
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Accept": "text/html",
}
MAXIMUM_REDIRECTS = 6


async def sign_in(gateway: GatewayServer, username: str, **options: str) -> httpx2.AsyncClient:
    """A client with the session cookie of `username`, its requests marked as our own page's.

    Needs a provider that logs in whomever `login_hint` names. `options` are further parameters of the login.
    The client works at every gateway of the fleet: its base URL is `gateway.url`, its cookies are for any port.
    """
    limits = httpx2.Limits(max_connections=None)
    client = httpx2.AsyncClient(
        trust_env=False, base_url=gateway.url, limits=limits, timeout=60.0, event_hooks={"response": [_note]}
    )
    parameters = {"login_hint": username, "return_to": "/", **options}
    response = await client.get(f"{gateway.public_url}/bff/login", params=parameters, headers=NAVIGATION)
    for _ in range(MAXIMUM_REDIRECTS):
        location = response.headers.get("location")
        if location is None:
            raise AssertionError(f"The login stopped at {response.url.path}: {response.status_code} {response.text}")
        at_callback = response.url.path.endswith("/bff/callback")
        if at_callback:
            break
        response = await client.get(urljoin(str(response.url), location), headers=NAVIGATION)
    client.headers.update(SAME_ORIGIN)
    return client


async def _note(response: httpx2.Response) -> None:
    """Remember what the gateway's own endpoints answer."""
    if response.url.path.startswith("/bff/"):
        content = await response.aread()
        SEEN.answered(response.request.method, str(response.url), response.headers.multi_items(), content)
