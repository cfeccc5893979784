"""What stands behind the gateways of the browser tests, and how a person signs in there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bff.demo.stack import APPLICATION
from tests.support.browser_page import Page
from tests.support.processes import (
    GatewayServer,
    ProviderServer,
    Server,
    ValkeyRunner,
    registration,
    reserve_port,
    start_gateway,
)

LIST = "What the browser holds"
"""What can be read on the page of timesheets alone."""


@dataclass
class Stack:
    """The servers behind the gateways."""

    provider: ProviderServer
    timesheets: Server
    valkey: ValkeyRunner

    @contextmanager
    def gateway(
        self, *, public_url: str | None = None, port: int | None = None, **variables: str | None
    ) -> Iterator[GatewayServer]:
        """A gateway; by default another site than the provider, as in earnest, for the host names differ."""
        port = port or reserve_port()
        settings = {"BFF_STATIC_DIR": str(APPLICATION), **variables}
        public_url = public_url or f"http://localhost:{port}"
        with start_gateway(
            self.provider, self.timesheets.url, self.valkey.url, public_url=public_url, port=port, **settings
        ) as server:
            yield server

    def tell_logouts_to(self, gateway: GatewayServer) -> None:
        """Have the provider's logout tokens sent to this gateway; it knows one address for all of them."""
        # Where the provider reaches it without a browser's name resolution.
        address = {"backchannel_logout_uri": f"{gateway.url}/bff/backchannel-logout"}
        self.provider.control(client=registration(self.provider.client_id, gateway.public_url) | address)


def sign_in(page: Page, gateway: GatewayServer, user: str = "Alice Archer", *, place: str = "/") -> None:
    """Sign in at the application's place through the provider's pages, and consent."""
    page.go(f"{gateway.public_url}{place}")
    page.click("a", "Sign in")
    finish_login(page, user)


def finish_login(page: Page, user: str = "Alice Archer") -> None:
    """Do what the provider's pages ask, and wait for the timesheets."""
    page.click("button", user)
    page.click("button", "Allow")
    page.wait_for(LIST)
    page.eventually("document.querySelector('[aria-busy=false]') !== null", "the list")
