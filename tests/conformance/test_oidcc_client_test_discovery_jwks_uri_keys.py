"""The keys come from the jwks_uri of the metadata."""

from tests.conformance.play import Play


async def test_discovery_jwks_uri_keys(play: Play) -> None:
    await play.accepted(await play.log_in())
    assert "/jwks" in play.fetched
