"""An ID token that never expires is refused."""

from tests.conformance.play import Play


async def test_invalid_missing_exp(fapi_play: Play) -> None:
    fapi_play.lie(exp=...)
    await fapi_play.refused(await fapi_play.log_in(), "id_token.exp", asked_last="/token")
