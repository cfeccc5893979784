"""Metadata of another issuer are not used; no browser is sent anywhere."""

import pytest

from tests.conformance.play import openid


async def test_discovery_issuer_mismatch(caplog: pytest.LogCaptureFixture) -> None:
    async with openid(caplog, metadata={"issuer": "https://another.example"}) as play:
        answer = await play.browser.navigate("/bff/login")
        assert (answer.status, answer.get("location")) == (503, None)
        assert set(play.fetched) == {"/.well-known/openid-configuration"}
        assert play.asked == []
