"""An ID token for another client is refused."""

from tests.conformance.play import Play


async def test_invalid_aud(play: Play) -> None:
    play.lie(aud="another-client")
    await play.refused(await play.log_in(), "id_token.audience", asked_last="/token")
