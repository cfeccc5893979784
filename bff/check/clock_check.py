"""This machine's clock against those it must agree with."""

from __future__ import annotations

from typing import Final

from bff.check.findings import Finding, degraded, good, note, unusable
from bff.oauth.id_token import MAX_AGE_AT_LOGIN
from bff.oauth.token_claims import CLOCK_LEEWAY

NOTICEABLE: Final = 5.0
"""Seconds; below, a clock that tells whole seconds and the way of the answer explain the difference."""

_CURE: Final = "Keep this machine's clock by NTP; if it is right, tell those who run the other"


def provider_clock(offset: float) -> Finding:
    """Judge how many seconds the provider is ahead; beyond the leeway its ID tokens are from the future."""
    seen = f"The provider's clock is {_words(offset)}"
    if abs(offset) <= NOTICEABLE:
        return good("provider.clock", "BFF_ISSUER", seen)
    if abs(offset) <= CLOCK_LEEWAY / 2:
        return note("provider.clock", "BFF_ISSUER", seen, _CURE)
    if offset > CLOCK_LEEWAY:
        return unusable("provider.clock", "BFF_ISSUER", f"{seen}: ID tokens from the future are refused", _CURE)
    if offset < -(MAX_AGE_AT_LOGIN + CLOCK_LEEWAY):
        return unusable("provider.clock", "BFF_ISSUER", f"{seen}: ID tokens that old are refused", _CURE)
    return degraded("provider.clock", "BFF_ISSUER", f"{seen}: tokens may be refused or end too early", _CURE)


def store_clock(offset: float, server: str) -> Finding:
    """Judge how many seconds the store is ahead; its clock decides nothing, but one of the two is wrong."""
    seen = f"The store's clock is {_words(offset)}"
    if abs(offset) <= NOTICEABLE:
        return good("store.clock", "BFF_REDIS_URL", seen, subject=server)
    kind = note if abs(offset) <= CLOCK_LEEWAY else degraded
    return kind("store.clock", "BFF_REDIS_URL", seen, _CURE, subject=server)


def _words(offset: float) -> str:
    if abs(offset) <= NOTICEABLE:
        return "that of this machine"
    return f"{abs(offset):.0f} s {'ahead of' if offset > 0 else 'behind'} this machine's"
