from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conformance.play import Play, fapi, openid, signed
from tests.support.virtual_time import virtual_time


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


@pytest.fixture
async def play(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Play]:
    """An OpenID client with a secret."""
    async with openid(caplog) as playing:
        yield playing


@pytest.fixture
async def fapi_play(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Play]:
    """A client under the FAPI 2.0 Security Profile, with private_key_jwt and DPoP."""
    async with fapi(caplog) as playing:
        yield playing


@pytest.fixture
async def signed_play(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Play]:
    """A client under FAPI 2.0 Message Signing: signed requests, signed responses."""
    async with signed(caplog) as playing:
        yield playing
