"""An ID token without kid is taken where one key is published."""

from tests.conformance.play import Play


async def test_kid_absent_single_jwks(play: Play) -> None:
    play.forge(lambda claims: play.sign(claims, kid=...))
    await play.accepted(await play.log_in())
