"""An ID token that is not signed is refused."""

from tests.conformance.play import Play, unsigned


async def test_invalid_null_alg(fapi_play: Play) -> None:
    fapi_play.forge(unsigned)
    await fapi_play.refused(await fapi_play.log_in(), "id_token.algorithm", asked_last="/token")
