"""An ID token that is not signed is refused, as a client may."""

from tests.conformance.play import Play, unsigned


async def test_idtoken_sig_none(play: Play) -> None:
    play.forge(unsigned)
    await play.refused(await play.log_in(), "id_token.algorithm", asked_last="/token")
