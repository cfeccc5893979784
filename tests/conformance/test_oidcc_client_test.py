"""The whole flow, the ID token checked, UserInfo asked."""

from tests.conformance.play import Play


async def test_flow(play: Play) -> None:
    await play.accepted(await play.log_in())
    assert play.asked[-2:] == ["/token", "/userinfo"]
