"""All that the provider knows while it runs; its endpoints share one of these."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx2

from bff.demo.provider.browser_sessions import BrowserSessions
from bff.demo.provider.clients import Client, ClientAuthentication
from bff.demo.provider.grants import Grants
from bff.demo.provider.signing import SigningKeys
from bff.demo.users import User

RefreshMode = Literal["rotate", "keep", "none"]
PushedRequestsMode = Literal["off", "on", "require"]


@dataclass
class Policy:
    """What may be changed while the provider runs.

    `access_token_lifetime` is in seconds. `refresh_mode`: `rotate` replaces the refresh token at every use,
    `keep` answers a refresh without a new one, `none` never issues any. `automatic_login` is the username
    that is logged in without pages, or `hint` for whomever `login_hint` names.
    `pushed_requests` offers RFC 9126, or accepts nothing else.
    """

    access_token_lifetime: int = 300
    refresh_mode: RefreshMode = "rotate"
    automatic_login: str | None = None
    pushed_requests: PushedRequestsMode = "off"


@dataclass
class Provider:
    """The provider's identity, registrations, keys and memory; `clock` gives seconds since the epoch."""

    issuer: str
    clients: dict[str, Client]
    users: Mapping[str, User]
    audiences: tuple[str, ...]
    policy: Policy
    clock: Callable[[], float]
    http: httpx2.AsyncClient
    keys: SigningKeys = field(default_factory=SigningKeys)
    sessions: BrowserSessions = field(default_factory=BrowserSessions)
    events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=20_000))
    issued: deque[str] = field(default_factory=lambda: deque(maxlen=50_000))

    def __post_init__(self) -> None:
        self.grants = Grants(self.record)
        self.authentication = ClientAuthentication(self.clients, (self.issuer, self.endpoint("token")))

    def endpoint(self, path: str) -> str:
        """The absolute URL of an endpoint."""
        return f"{self.issuer.rstrip('/')}/{path}"

    def record(self, event: str, **details: object) -> None:
        """Note what happened; details never hold a token or a code."""
        self.events.append({"event": event, "time": self.clock(), **details})
