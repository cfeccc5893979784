"""An ID token signed with RS256 is taken."""

from tests.conformance.play import Play


async def test_idtoken_sig_rs256(play: Play) -> None:
    play.forge(lambda claims: play.sign(claims, algorithm="RS256"))
    await play.accepted(await play.log_in())
