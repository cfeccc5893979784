"""An ID token of another issuer is refused."""

from tests.conformance.play import Play


async def test_invalid_iss(play: Play) -> None:
    play.lie(iss="https://another.example")
    await play.refused(await play.log_in(), "id_token.issuer", asked_last="/token")
