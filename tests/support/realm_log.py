"""What a realm of `tests.support.lying_provider` is asked, and what it remembers of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from tests.support.lies import Bend


@dataclass(frozen=True)
class Asked:
    """One HTTP request to a realm; `path` is what follows the issuer's own path, `certificate` the client's as DER."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    certificate: bytes | None = None

    def parameters(self) -> dict[str, str]:
        """The parameters of the query or the form; a repeated one is a fault of the client, but for `resource`."""
        pairs = parse_qsl(self.body.decode() if self.method == "POST" else self.query, keep_blank_values=True)
        once = [pair for pair in pairs if pair[0] != "resource"]
        assert len(dict(once)) == len(once), "a parameter was sent twice"
        return dict(pairs)


@dataclass
class Login:
    """One login from its authorization request on; `calls` are the endpoints that were asked on its behalf."""

    name: str
    bend: Bend
    parameters: dict[str, str]
    authenticated_at: int
    calls: list[str] = field(default_factory=list)
    refresh_requests: list[str] = field(default_factory=list)
    access_tokens: list[str] = field(default_factory=list)
    refresh_tokens: list[str] = field(default_factory=list)
    revocation_requests: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)

    def are_tokens_revoked(self) -> bool:
        """Whether no token of this login is good any more."""
        return {*self.access_tokens, *self.refresh_tokens} <= {*self.revoked}
