"""A logout token that is not signed is refused with 400."""

from tests.conformance.logout import post
from tests.conformance.play import Play, unsigned


async def test_rp_backchannel_rpinitlogout_alg_none(play: Play) -> None:
    await play.accepted(await play.log_in())
    answer = await post(play, forge=unsigned)
    assert answer.status == 400
    assert (await play.browser.session())["authenticated"] is True
