"""The words in which a test says where a provider departs from the truth; what is not mentioned stays honest.

In every mapping a value of `...` leaves the member out, and a callable is given the time (seconds since the epoch).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.support.signed_tokens import PrivateKey, segment, sign

Changes = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer.

    `hangs` sends nothing at all, `drips` sends the body a byte at a time, `cut` drops the connection after so many
    bytes of the body, `raw` is sent instead of everything.
    """

    status: int = 200
    body: bytes = b""
    content_type: str | None = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    hangs: bool = False
    drips: bool = False
    cut: int | None = None
    raw: bytes | None = None


@dataclass(frozen=True)
class Draft:
    """A token about to be signed: an honest signature is RS256 with the provider's key of this `kid`."""

    header: dict[str, Any]
    claims: dict[str, Any]
    key: PrivateKey
    client_secret: str
    access_token: str = ""

    def with_hash(self, digest: str) -> Draft:
        """Return the draft with the `at_hash` that belongs to another algorithm than RS256."""
        return replace(self, claims={**self.claims, "at_hash": at_hash(self.access_token, digest)})

    def signed(self, *, algorithm: str = "RS256", key: PrivateKey | None = None, **header: Any) -> str:
        """Return the token, signed by `key` (the provider's if None) with further or changed header members."""
        members = applied({**self.header, "alg": algorithm}, header, 0)
        return sign(self.claims, algorithm=algorithm, key=key or self.key, header=members)


Forge = Callable[[Draft], str]


def at_hash(access_token: str, digest: str = "sha256") -> str:
    """The first half of the access token's digest (OpenID Connect Core section 3.1.3.6)."""
    whole = hashlib.new(digest, access_token.encode()).digest()
    return segment(whole[: len(whole) // 2])


def honestly(draft: Draft) -> str:
    """Sign as the provider should."""
    return draft.signed(algorithm=draft.header["alg"])


@dataclass(frozen=True)
class Tokens:
    """How one answer of the token endpoint is bent: its members, the ID token's parts, or `answer` instead of all."""

    members: Changes = field(default_factory=dict)
    header: Changes = field(default_factory=dict)
    claims: Changes = field(default_factory=dict)
    forge: Forge = honestly
    answer: Answer | None = None


@dataclass(frozen=True)
class Bend:
    """How one login is bent: the authorization response, the tokens, UserInfo, each refresh in turn, revocation.

    `later_userinfo` is how UserInfo is bent from the second time on, `signed_response` how the signature around the
    authorization response is where there is one, `logout_return` what comes back after a logout at the provider.
    """

    response: Changes = field(default_factory=dict)
    query: Callable[[str], str] = str
    tokens: Tokens = Tokens()
    userinfo: Changes = field(default_factory=dict)
    userinfo_answer: Answer | None = None
    later_userinfo: Changes | Answer = field(default_factory=dict)
    pushed: Answer | None = None
    revocation: Answer | None = None
    refreshes: tuple[Tokens, ...] = ()
    signed_response: Tokens = Tokens()
    logout_return: Changes = field(default_factory=dict)


HONEST = Bend()
TRUE_TOKENS = Tokens()


def applied(members: Mapping[str, Any], changes: Changes, now: float) -> dict[str, Any]:
    """Return the members with the changes made."""
    changed = {**members, **changes}
    resolved = {name: value(now) if callable(value) else value for name, value in changed.items()}
    return {name: value for name, value in resolved.items() if value is not ...}


def ago(seconds: float) -> Callable[[float], int]:
    """A NumericDate in the past."""
    return lambda now: int(now - seconds)


def ahead(seconds: float) -> Callable[[float], int]:
    """A NumericDate in the future."""
    return lambda now: int(now + seconds)


def as_float(when: Callable[[float], int]) -> Callable[[float], float]:
    """The same moment with a fraction."""
    return lambda now: when(now) + 0.5


def as_text(when: Callable[[float], int]) -> Callable[[float], str]:
    """The same moment in quotes."""
    return lambda now: str(when(now))


def json_answer(status: int = 200, /, **members: Any) -> Answer:
    """An answer with these members alone."""
    return Answer(status, json.dumps(members).encode())


def html(status: int = 200) -> Answer:
    """A page where there should be JSON."""
    return Answer(status, b"<!doctype html><title>Sign in</title><script>alert(1)</script>", "text/html; charset=utf-8")
