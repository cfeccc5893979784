"""A refreshed ID token of another issuer is refused, and its tokens are not used."""

from tests.conformance.play import Play


async def test_refresh_token_invalid_issuer(play: Play) -> None:
    await play.accepted(await play.log_in())
    play.lie(iss="https://another.example")
    answer = await play.browser.fetch("POST", "/bff/session/refresh")
    assert answer.status == 503
    assert play.asked[-1] == "/token"
