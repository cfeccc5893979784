"""A token whose lifetime nobody tells is used."""

from tests.conformance.play import Play


async def test_token_endpoint_response_without_expires_in(fapi_play: Play) -> None:
    fapi_play.provider.lifetime = None
    await fapi_play.accepted(await fapi_play.log_in())
