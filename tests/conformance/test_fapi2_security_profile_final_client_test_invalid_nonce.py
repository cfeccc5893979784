"""An ID token with the nonce of another login is refused."""

from tests.conformance.play import Play


async def test_invalid_nonce(fapi_play: Play) -> None:
    fapi_play.lie(nonce="another")
    await fapi_play.refused(await fapi_play.log_in(), "id_token.nonce", asked_last="/token")
