"""What the tests of the checks share."""

from __future__ import annotations

import pytest

from tests.support.signed_tokens import key_for


@pytest.fixture
def client_key() -> str:
    """A private key for ES256, as PEM."""
    return key_for("ES256").as_pem(private=True).decode()
