"""The `state` parameter: random, dated and signed, so that a forged or stale one costs no store access.

     state = base64url( 24 random bytes | 6 bytes: seconds since the epoch ) "." base64url( HMAC-SHA-256 )

It protects the callback (RFC 6749 section 10.12) together with the login transaction's cookie, which is named after
it, and with the store, where it can be claimed once.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from enum import Enum
from typing import Final

from itsdangerous import BadSignature, Signer

RANDOM_LENGTH: Final = 24
CLOCK_SKEW: Final = 60.0
"""How many seconds another instance's clock may be ahead of ours."""

_DATE_LENGTH: Final = 6
# 30 bytes and 32 bytes; the last character of the second carries 4 bits of data, so only every fourth one is canonical.
_FORM: Final = re.compile(r"[A-Za-z0-9_-]{40}\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", re.ASCII)


class StateVerdict(Enum):
    """What a `state` turned out to be; `EXPIRED` was signed by this gateway, too long ago."""

    FRESH = "fresh"
    EXPIRED = "expired"
    FORGED = "forged"


class StateSigner:
    """Issues and verifies `state` values; the newest of `secret_keys` (the first) signs, all of them verify."""

    def __init__(self, secret_keys: Sequence[bytes], context: bytes) -> None:
        self._signer = Signer(
            list(reversed(secret_keys)),
            salt=b"bff state\x00" + context,
            key_derivation="hmac",
            digest_method=hashlib.sha256,
        )

    def issue(self, random: bytes, now: float) -> str:
        """Return a new state made of 24 random bytes and the time."""
        if len(random) != RANDOM_LENGTH:
            raise ValueError("random: 24 bytes")
        dated = random + int(now).to_bytes(_DATE_LENGTH, "big")
        return self._signer.sign(base64.urlsafe_b64encode(dated)).decode()

    def verify(self, state: str, max_age: float, now: float) -> StateVerdict:
        """Return whether the state was signed here, and within the last `max_age` seconds."""
        if _FORM.fullmatch(state) is None:
            return StateVerdict.FORGED
        try:
            dated = base64.urlsafe_b64decode(self._signer.unsign(state))
        except BadSignature:
            return StateVerdict.FORGED
        age = now - int.from_bytes(dated[RANDOM_LENGTH:], "big")
        return StateVerdict.FRESH if -CLOCK_SKEW <= age <= max_age else StateVerdict.EXPIRED
