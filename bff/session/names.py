"""What indexes and small values are called in the store: hashes, so that the store names nobody.

index:<hash>    the sessions of a `sid` or a subject at an issuer
mark:<hash>     that the provider has logged such a one out, and when
state:<hash>    a `state` that was used
jti:<hash>      a logout token
"""

from __future__ import annotations

import hashlib

from bff.session.record import SessionRecord
from bff.session.sealing import hash_parts

Identity = tuple[str, str]
"""`sid` or `sub`, and its value."""


def identities(record: SessionRecord) -> list[Identity]:
    """Return by what the provider can name the session; plain OAuth knows neither subject nor sid."""
    named = (("sid", record.sid), ("sub", record.subject))
    return [(kind, value) for kind, value in named if value]


def index_name(issuer: str, identity: Identity) -> str:
    """Return the name of the index of this identity's sessions."""
    return f"index:{hash_parts(issuer, *identity).hex()}"


def mark_name(issuer: str, identity: Identity) -> str:
    """Return the name under which a logout by the provider is noted."""
    return f"mark:{hash_parts(issuer, *identity).hex()}"


def state_name(state: str) -> str:
    """Return the name under which a `state` is claimed."""
    return f"state:{hashlib.sha256(state.encode()).hexdigest()}"


def token_id_name(token_id: str) -> str:
    """Return the name under which a logout token's `jti` is claimed."""
    return f"jti:{hashlib.sha256(token_id.encode()).hexdigest()}"


def encode_mark(logged_out_at: float, arrived_at: float) -> bytes:
    """Return a mark; both are seconds since the epoch, the provider's and ours."""
    return b"%r %r" % (logged_out_at, arrived_at)


def decode_mark(value: bytes | None) -> tuple[float, float]:
    """Return when the provider logged out and when we heard of it; before all times if there is no mark."""
    if value is None:
        return (float("-inf"), float("-inf"))
    logged_out_at, arrived_at = value.split()
    return (float(logged_out_at), float(arrived_at))
