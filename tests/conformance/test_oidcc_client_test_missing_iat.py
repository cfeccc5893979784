"""An ID token that does not say when it was issued is refused."""

from tests.conformance.play import Play


async def test_missing_iat(play: Play) -> None:
    play.lie(iat=...)
    await play.refused(await play.log_in(), "id_token.iat", asked_last="/token")
