"""An ID token signed with RS256 is refused."""

from tests.conformance.play import Play


async def test_invalid_alternate_alg(fapi_play: Play) -> None:
    fapi_play.forge(lambda claims: fapi_play.sign(claims, algorithm="RS256"))
    await fapi_play.refused(await fapi_play.log_in(), "id_token.algorithm", asked_last="/token")
