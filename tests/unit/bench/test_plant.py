"""A planted session is one the gateway would have written, of the size that was asked for."""

from __future__ import annotations

import secrets

import pytest

from bench.plant import sized_record
from bff.session.sealing import Sealer, sealing_context
from bff.settings import load_settings

SETTINGS = load_settings(
    {
        "BFF_PUBLIC_URL": "http://127.0.0.1:8000",
        "BFF_ISSUER": "http://127.0.0.1:9",
        "BFF_CLIENT_ID": "bench",
        "BFF_CLIENT_SECRET": "bench-secret-0123456789",
        "BFF_SECRET_KEYS": "k" * 43,
    }
)
CONTEXT = sealing_context(SETTINGS.issuer, SETTINGS.client_id, SETTINGS.public_url.origin)
SEALER = Sealer([key.reveal().encode() for key in SETTINGS.secret_keys], CONTEXT, random_bytes=secrets.token_bytes)


@pytest.mark.parametrize("size", [2600, 4096, 70_000])
def test_a_record_is_that_many_bytes_when_sealed_and_opens_again(size: int) -> None:
    record = sized_record(SEALER, SETTINGS, size)
    handle = secrets.token_bytes(32)
    key = SEALER.store_key(handle)
    sealed = SEALER.seal(record, handle, key)
    assert len(sealed) == size
    assert SEALER.open(sealed, handle, key) == record


def test_a_record_cannot_be_smaller_than_its_tokens() -> None:
    with pytest.raises(SystemExit):
        sized_record(SEALER, SETTINGS, 300)
