"""An ID token without issuer is refused."""

from tests.conformance.play import Play


async def test_invalid_missing_iss(fapi_play: Play) -> None:
    fapi_play.lie(iss=...)
    await fapi_play.refused(await fapi_play.log_in(), "id_token.issuer", asked_last="/token")
