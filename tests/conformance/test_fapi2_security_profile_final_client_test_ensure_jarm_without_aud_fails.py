"""A signed answer without audience is refused."""

from tests.conformance.play import Play


async def test_ensure_jarm_without_aud_fails(signed_play: Play) -> None:
    request = await signed_play.begin()
    answer = await signed_play.come_back_signed(request, aud=...)
    await signed_play.refused(answer, "response.audience", asked_last="/par")
