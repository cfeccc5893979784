"""A signed answer for another client is refused."""

from tests.conformance.play import Play


async def test_ensure_jarm_with_invalid_aud_fails(signed_play: Play) -> None:
    request = await signed_play.begin()
    answer = await signed_play.come_back_signed(request, aud="another-client")
    await signed_play.refused(answer, "response.audience", asked_last="/par")
