"""What the checks are told in these tests: metadata, a provider, servers, connections."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from bff.check.findings import Finding, Level
from bff.check.reach import Place, Reached, Unreachable
from bff.errors import GatewayError
from bff.oauth.keys import ProviderKeys, parse_keys
from bff.oauth.metadata import ProviderMetadata
from bff.settings.token_target import TokenTarget
from tests.support.signed_tokens import ISSUER, key_set, public_jwk, rsa_key
from tests.unit.oauth.provider_documents import metadata

FULL: dict[str, Any] = {
    "userinfo_endpoint": f"{ISSUER}/userinfo",
    "revocation_endpoint": f"{ISSUER}/revoke",
    "end_session_endpoint": f"{ISSUER}/logout",
    "pushed_authorization_request_endpoint": f"{ISSUER}/par",
    "authorization_response_iss_parameter_supported": True,
    "backchannel_logout_supported": True,
    "backchannel_logout_session_supported": True,
    "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
    "token_endpoint_auth_signing_alg_values_supported": ["PS256", "ES256"],
    "scopes_supported": ["openid", "profile", "email", "offline_access"],
}


def full_metadata(**changes: Any) -> ProviderMetadata:
    """Return the metadata of a provider that offers everything; a change to `...` leaves a member out."""
    return metadata(**{**FULL, **changes})


def provider_keys() -> ProviderKeys:
    """Return a key set with one RSA key."""
    return parse_keys(key_set(public_jwk(rsa_key(), kid="key-1")))


class FakeInspection:
    """A provider that answers what it is told to; an exception is raised."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {
            "metadata": full_metadata(),
            "keys": provider_keys(),
            "stated_issuer": ISSUER,
            "try_client": True,
            "try_client_token": None,
            "try_pushed_request": None,
            **answers,
        }
        self.clock_offset: float | None = answers.get("clock_offset", 0.2)
        self.asked: list[str] = []
        self.targets: list[TokenTarget] = []

    async def metadata(self) -> ProviderMetadata:
        found: ProviderMetadata = self._answer("metadata")
        return found

    async def keys(self) -> ProviderKeys:
        found: ProviderKeys = self._answer("keys")
        return found

    async def stated_issuer(self) -> str | None:
        found: str | None = self._answer("stated_issuer")
        return found

    async def try_client(self, metadata: ProviderMetadata) -> bool:
        accepted: bool = self._answer("try_client")
        return accepted

    async def try_client_token(self, target: TokenTarget) -> None:
        self.targets.append(target)
        self._answer("try_client_token")

    async def try_pushed_request(self) -> None:
        self._answer("try_pushed_request")

    def _answer(self, name: str) -> Any:
        self.asked.append(name)
        answer = self.answers[name]
        if isinstance(answer, GatewayError):
            raise answer
        return answer


class FakeNetwork:
    """Takes every connection but those to the places that fail; `connect` is what the checks are given."""

    def __init__(self, failures: dict[str, Unreachable] | None = None, *, ends_at: float | None = None) -> None:
        self.failures = failures or {}
        self.ends_at = ends_at
        self.tried: list[str] = []

    async def connect(self, place: Place) -> Reached:
        """Take or refuse a connection."""
        self.tried.append(str(place))
        if str(place) in self.failures:
            raise self.failures[str(place)]
        return Reached(0.012, self.ends_at if place.is_secure else None)


def by_id(findings: Iterable[Finding]) -> dict[str, Finding]:
    """Return the findings by identifier, which must be unique."""
    found: dict[str, Finding] = {}
    for finding in findings:
        assert finding.id not in found
        found[finding.id] = finding
    return found


def worse_than_good(findings: Iterable[Finding]) -> dict[str, Level]:
    """Return what is not good, by identifier."""
    return {finding.id: finding.level for finding in findings if finding.level is not Level.GOOD}


def text_of(findings: Collection[Finding]) -> str:
    """Return all words of the findings."""
    return "\n".join(repr(finding) for finding in findings)
