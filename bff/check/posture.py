"""Posture: how this configuration stands to the requirements of the standards in `bff.check.requirements`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from bff.oauth.client_authentication import MUTUAL_TLS
from bff.oauth.dpop import supports_dpop
from bff.oauth.metadata import ProviderMetadata
from bff.session.cookies import HANDLE_LENGTH, SessionCookies
from bff.settings import Settings
from bff.settings.urls import is_loopback


class Standing(Enum):
    """How a requirement is met; `WAIVED` does not apply, `UNKNOWN` cannot be found out from here."""

    MET = "met"
    NOT_MET = "not met"
    WAIVED = "waived"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Facts:
    """What standings are computed from; `metadata` is None if the provider could not be asked."""

    settings: Settings
    metadata: ProviderMetadata | None

    @property
    def is_openid(self) -> bool:
        """Whether there are ID tokens."""
        return "openid" in self.settings.scopes

    @property
    def session_cookie(self) -> str:
        """The `Set-Cookie` line that browsers would get."""
        return self._cookies.set_session(bytes(HANDLE_LENGTH))

    @property
    def cookies(self) -> tuple[str, str]:
        """All kinds of `Set-Cookie` line: the session's, a login's."""
        cookies = self._cookies
        return self.session_cookie, cookies.set_transaction(cookies.transaction_name("state"), "value")

    @property
    def _cookies(self) -> SessionCookies:
        return SessionCookies(self.settings.cookie_name, self.settings.public_url.is_secure)

    @property
    def has_key_authentication(self) -> bool:
        """Whether the client proves itself with a private key, its certificate's or another."""
        return self.settings.client_auth in ("private_key_jwt", *MUTUAL_TLS)

    @property
    def sends_proofs(self) -> bool:
        """Whether tokens are asked for with proofs of possession; unknown counts as no."""
        if self.settings.dpop != "auto":
            return self.settings.dpop == "require"
        return self.metadata is not None and supports_dpop(self.metadata.dpop_signing_alg_values_supported)

    @property
    def has_bound_tokens(self) -> bool:
        """Whether access tokens are bound to a key or a certificate of the gateway, as far as is known."""
        if self.settings.client_cert is None or self.metadata is None:
            return self.sends_proofs
        return self.sends_proofs or self.metadata.tls_client_certificate_bound_access_tokens

    @property
    def apis(self) -> list[str]:
        """The origins that access tokens are sent to."""
        routes = [route for route in self.settings.routes if route.token != "none"]  # noqa: S105
        return list(dict.fromkeys(f"{route.upstream.scheme}://{route.upstream.host}" for route in routes))

    @property
    def apis_of_the_login(self) -> list[str]:
        """The origins that the token of the login is sent to, for their routes name no API of their own."""
        routes = [route for route in self.settings.routes if route.token != "none" and not route.names_target]  # noqa: S105
        return list(dict.fromkeys(f"{route.upstream.scheme}://{route.upstream.host}" for route in routes))

    @property
    def open_routes(self) -> list[str]:
        """The prefixes of routes whose access tokens cross a network unencrypted."""
        return [
            route.prefix
            for route in self.settings.routes
            if route.token != "none"  # noqa: S105 -- a policy's name
            and route.upstream.scheme == "http"
            and not is_loopback(route.upstream.hostname)
        ]


Judgement = tuple[Standing, str]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement: its identifier here, its force (must, should, advice), its section, what it asks."""

    id: str
    force: str
    section: str
    asks: str
    judge: Callable[[Facts], Judgement]


@dataclass(frozen=True, slots=True)
class Stand:
    """A requirement as this configuration meets it, and why."""

    requirement: Requirement
    standing: Standing
    why: str


def met(why: str) -> Callable[[Facts], Judgement]:
    """Return the judgement of what no configuration can undo."""
    return lambda facts: (Standing.MET, why)


def waived(why: str) -> Callable[[Facts], Judgement]:
    """Return the judgement of what does not apply."""
    return lambda facts: (Standing.WAIVED, why)


def where(
    applies: Callable[[Facts], bool], otherwise: str, judge: Callable[[Facts], Judgement]
) -> Callable[[Facts], Judgement]:
    """Return the judgement of what counts only where it applies, and is waived for this reason elsewhere."""
    return lambda facts: judge(facts) if applies(facts) else (Standing.WAIVED, otherwise)


def either(condition: bool, yes: str, no: str) -> Judgement:
    """Return met for `yes`, or not met for `no`."""
    return (Standing.MET, yes) if condition else (Standing.NOT_MET, no)
