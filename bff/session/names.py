"""What indexes and small values are called in the store: hashes, so that the store names nobody.

index:<hash>    the sessions of a `sid` or a subject at an issuer
mark:<hash>     that the provider has logged such a one out, and when
state:<hash>    a `state` that was used, and the session it was used for
dropped:<hash>  a `state` whose login the user has logged out of
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


def dropped_name(state: str) -> str:
    """Return the name under which it is noted that the login with this `state` is to come to nothing."""
    return f"dropped:{hashlib.sha256(state.encode()).hexdigest()}"


def token_id_name(token_id: str) -> str:
    """Return the name under which a logout token's `jti` is claimed."""
    return f"jti:{hashlib.sha256(token_id.encode()).hexdigest()}"
