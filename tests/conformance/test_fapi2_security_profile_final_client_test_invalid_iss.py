"""An ID token of another issuer is refused."""

from tests.conformance.play import Play


async def test_invalid_iss(fapi_play: Play) -> None:
    fapi_play.lie(iss="https://another.example")
    await fapi_play.refused(await fapi_play.log_in(), "id_token.issuer", asked_last="/token")
