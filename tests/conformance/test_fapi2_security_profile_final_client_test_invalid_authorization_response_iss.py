"""An answer of another issuer is refused, and its code is not used."""

from tests.conformance.play import Play


async def test_invalid_authorization_response_iss(fapi_play: Play) -> None:
    answer = await fapi_play.log_in(iss="https://another.example")
    await fapi_play.refused(answer, "callback.issuer", asked_last="/par")
