"""An ID token without audience is refused."""

from tests.conformance.play import Play


async def test_invalid_missing_aud(fapi_play: Play) -> None:
    fapi_play.lie(aud=...)
    await fapi_play.refused(await fapi_play.log_in(), "id_token.audience", asked_last="/token")
