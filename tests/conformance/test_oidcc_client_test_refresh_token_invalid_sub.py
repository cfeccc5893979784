"""A refreshed ID token of another user ends the session."""

from tests.conformance.play import Play


async def test_refresh_token_invalid_sub(play: Play) -> None:
    await play.accepted(await play.log_in())
    play.lie(sub="user-2")
    answer = await play.browser.fetch("POST", "/bff/session/refresh")
    assert answer.json["authenticated"] is False
    assert play.asked[-1] == "/token"
