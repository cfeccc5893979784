"""An answer with another state is refused, and its code is not used."""

from tests.conformance.play import Play


async def test_ensure_authorization_response_with_invalid_state_fails(fapi_play: Play) -> None:
    answer = await fapi_play.log_in(state="another")
    await fapi_play.refused(answer, "callback.state_forged", asked_last="/par")
