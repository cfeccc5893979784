"""An answer that does not name its issuer is refused, and its code is not used."""

from tests.conformance.play import Play


async def test_remove_authorization_response_iss(fapi_play: Play) -> None:
    answer = await fapi_play.log_in(iss=...)
    await fapi_play.refused(answer, "callback.issuer_missing", asked_last="/par")
