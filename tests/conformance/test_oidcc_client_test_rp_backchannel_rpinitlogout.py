"""A valid logout token ends the session; claims nobody knows are ignored."""

from tests.conformance.logout import post
from tests.conformance.play import Play


async def test_rp_backchannel_rpinitlogout(play: Play) -> None:
    await play.accepted(await play.log_in())
    answer = await post(play, claims={"extra": {"unknown": True}})
    assert answer.status == 200
    assert (await play.browser.session())["authenticated"] is False
