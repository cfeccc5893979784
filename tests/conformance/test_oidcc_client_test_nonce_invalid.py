"""An ID token with the nonce of another login is refused."""

from tests.conformance.play import Play


async def test_nonce_invalid(play: Play) -> None:
    play.lie(nonce="another")
    await play.refused(await play.log_in(), "id_token.nonce", asked_last="/token")
