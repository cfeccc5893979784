"""Tokens are refreshed, and UserInfo is asked with the new one."""

from tests.conformance.play import Play


async def test_refresh_token(play: Play) -> None:
    await play.accepted(await play.log_in())
    answer = await play.browser.fetch("POST", "/bff/session/refresh")
    assert answer.json["authenticated"] is True
    assert play.asked[-2:] == ["/token", "/userinfo"]
    assert play.provider.requests[-1].headers["authorization"] == f"Bearer {play.provider.latest_access_token}"
