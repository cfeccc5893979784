"""One login on its way from the login endpoint to the callback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from bff.oauth.base64url import encode
from bff.oauth.return_to import ReturnPath


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """One login on its way: what must come back, and where the browser goes then.

    `started_at` is in seconds since the epoch; `max_age` in seconds; `previous_session` is the store key of the
    session that was presented when the login began; `dpop_key` is the encoded key of the session to be; `silent` is
    where a login that may show nothing tells its outcome, and `subject` whose login alone it may be.
    With `is_step_up` somebody is logged in already, and one of the `acr_values` must be reached, not only asked for.
    """

    state: str
    nonce: str
    code_verifier: str
    return_to: str
    issuer: str
    started_at: float
    max_age: int | None = None
    acr_values: str | None = None
    previous_session: str | None = None
    dpop_key: bytes | None = None
    silent: Literal["page", "frame"] | None = None
    subject: str | None = None
    is_step_up: bool = False

    def __repr__(self) -> str:
        return "Transaction(…)"


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Transaction)


def encode_transaction(transaction: Transaction) -> bytes:
    """Return the transaction as MessagePack."""
    return _encoder.encode(transaction)


def decode_transaction(data: bytes) -> Transaction:
    """Return the transaction; raises `msgspec.DecodeError` (or its subclass `ValidationError`) for anything else."""
    return _decoder.decode(data)


def new_transaction(
    *,
    state: str,
    issuer: str,
    return_to: ReturnPath,
    now: float,
    random_bytes: Callable[[int], bytes],
    max_age: int | None = None,
    acr_values: str | None = None,
    previous_session: str | None = None,
    dpop_key: bytes | None = None,
    silent: Literal["page", "frame"] | None = None,
    subject: str | None = None,
    is_step_up: bool = False,
) -> Transaction:
    """Return a login with a fresh nonce and code verifier of 256 bits each (RFC 7636 section 4.1)."""
    return Transaction(
        state=state,
        nonce=encode(random_bytes(32)),
        code_verifier=encode(random_bytes(32)),
        return_to=return_to,
        issuer=issuer,
        started_at=now,
        max_age=max_age,
        acr_values=acr_values,
        previous_session=previous_session,
        dpop_key=dpop_key,
        silent=silent,
        subject=subject,
        is_step_up=is_step_up,
    )
