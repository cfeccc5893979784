"""A signed answer without issuer is refused."""

from tests.conformance.play import Play


async def test_ensure_jarm_without_iss_fails(signed_play: Play) -> None:
    request = await signed_play.begin()
    answer = await signed_play.come_back_signed(request, iss=...)
    await signed_play.refused(answer, "response.issuer", asked_last="/par")
