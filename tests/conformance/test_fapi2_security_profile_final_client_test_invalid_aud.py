"""An ID token for another client is refused."""

from tests.conformance.play import Play


async def test_invalid_aud(fapi_play: Play) -> None:
    fapi_play.lie(aud="another-client")
    await fapi_play.refused(await fapi_play.log_in(), "id_token.audience", asked_last="/token")
