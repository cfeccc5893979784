"""The endpoints come from the metadata."""

from tests.conformance.play import Play


async def test_discovery_openid_config(play: Play) -> None:
    await play.begin()
    assert play.fetched[0] == "/.well-known/openid-configuration"
