"""UserInfo about another user is refused."""

from tests.conformance.play import Play


async def test_userinfo_invalid_sub(play: Play) -> None:
    play.provider.userinfo = {"sub": "user-2", "name": "Eve"}
    await play.refused(await play.log_in(), "userinfo.subject", asked_last="/userinfo")
