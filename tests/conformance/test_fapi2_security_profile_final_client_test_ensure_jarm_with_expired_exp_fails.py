"""A signed answer that has expired is refused."""

from tests.conformance.play import Play
from tests.support.virtual_time import clock


async def test_ensure_jarm_with_expired_exp_fails(signed_play: Play) -> None:
    request = await signed_play.begin()
    answer = await signed_play.come_back_signed(request, exp=int(clock()) - 300)
    await signed_play.refused(answer, "response.expired", asked_last="/par")
