"""The algorithms that the provider may sign this client's tokens with."""

from __future__ import annotations

from typing import Final

from bff.oauth.jws import equivalent
from bff.oauth.metadata import ProviderMetadata

DEFAULT: Final = "RS256"
"""What a client that registers nothing gets (OpenID Connect Dynamic Client Registration 1.0 section 2)."""

OVERLAP: Final = 86400.0
"""Seconds for which the algorithm before the newest counts: some instances of a provider change later than others."""

_REMEMBERED: Final = 2


class SigningAlgorithms:
    """The `configured` algorithm; without one, those that the metadata list and the latest ID tokens show.

    A client registers one algorithm for its ID tokens, and its logout tokens are signed with the same one
    (OpenID Connect Back-Channel Logout 1.0 section 2.6).
    """

    def __init__(self, configured: str | None) -> None:
        self.configured = configured
        self._seen: dict[str, float] = {}

    def for_id_tokens(self, metadata: ProviderMetadata) -> tuple[str, ...]:
        """Return the algorithms of ID tokens."""
        return metadata.id_token_signing_alg_values_supported if self.configured is None else (self.configured,)

    def for_logout_tokens(self, metadata: ProviderMetadata, now: float) -> tuple[str, ...]:
        """Return the algorithms of logout tokens; `now` in seconds since the epoch.

        A process that has seen no ID token yet takes the default, where the provider offers it.
        """
        if self.configured is not None:
            return (self.configured,)
        listed = metadata.id_token_signing_alg_values_supported
        newest = max(self._seen.values(), default=0.0)
        seen = tuple(
            name
            for name, seen_at in self._seen.items()
            if (name in listed or equivalent(name) in listed) and (seen_at == newest or now - seen_at < OVERLAP)
        )
        return seen or ((DEFAULT,) if DEFAULT in listed else listed)

    def saw(self, algorithm: str, now: float) -> None:
        """Note the algorithm of a valid ID token."""
        self._seen.pop(algorithm, None)
        self._seen[algorithm] = now
        while len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
