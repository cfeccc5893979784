"""A logout token without its event is refused with 400."""

from tests.conformance.logout import post
from tests.conformance.play import Play


async def test_rp_backchannel_rpinitlogout_no_event(play: Play) -> None:
    await play.accepted(await play.log_in())
    answer = await post(play, claims={"events": ...})
    assert answer.status == 400
    assert (await play.browser.session())["authenticated"] is True
