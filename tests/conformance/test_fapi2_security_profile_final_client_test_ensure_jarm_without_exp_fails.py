"""A signed answer that never expires is refused."""

from tests.conformance.play import Play


async def test_ensure_jarm_without_exp_fails(signed_play: Play) -> None:
    request = await signed_play.begin()
    answer = await signed_play.come_back_signed(request, exp=...)
    await signed_play.refused(answer, "response.exp", asked_last="/par")
