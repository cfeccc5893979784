"""An ID token without a subject is refused."""

from tests.conformance.play import Play


async def test_missing_sub(play: Play) -> None:
    play.lie(sub=...)
    await play.refused(await play.log_in(), "id_token.sub", asked_last="/token")
