"""Claims are asked by scope and read from UserInfo."""

from tests.conformance.play import Play


async def test_scope_userinfo_claims(play: Play) -> None:
    request = await play.begin()
    assert {"openid", "profile", "email"} <= set(request["scope"].split())
    await play.accepted(await play.come_back(request))
    assert (await play.browser.session())["claims"] == {"sub": "user-1", "name": "Ada"}
