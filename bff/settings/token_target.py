"""Which access token the calls of a route carry, where it is not the one of the login."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

_NAME_LENGTH: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTarget:
    """What the provider is asked for: `resource` (RFC 8707), `audience` (Auth0's spelling of it) and `scope`.

    `is_exchanged`: by token exchange (RFC 8693). `expect_audience` is what the token's `aud` may be instead.
    `name` tells targets apart, wherever tokens are kept.
    """

    resource: str | None = None
    audience: str | None = None
    scope: tuple[str, ...] = ()
    is_exchanged: bool = False
    expect_audience: str | None = None
    name: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        parts = (
            "exchange" if self.is_exchanged else "grant",
            self.resource or "",
            self.audience or "",
            *sorted(self.scope),
            self.expect_audience or "",
        )
        joined = b"".join(b"%d:%b" % (len(part.encode()), part.encode()) for part in parts)
        object.__setattr__(self, "name", hashlib.sha256(joined).hexdigest()[:_NAME_LENGTH])
