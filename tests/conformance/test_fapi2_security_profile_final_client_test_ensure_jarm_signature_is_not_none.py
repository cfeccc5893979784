"""An answer that is not signed is refused."""

from tests.conformance.play import Play, unsigned
from tests.support.signed_tokens import CLIENT_ID, ISSUER
from tests.support.virtual_time import clock


async def test_ensure_jarm_signature_is_not_none(signed_play: Play) -> None:
    request = await signed_play.begin()
    claims = {"iss": ISSUER, "aud": CLIENT_ID, "exp": int(clock()) + 60, "code": "c", "state": request["state"]}
    answer = await signed_play.come_back_signed(request, token=unsigned(claims))
    await signed_play.refused(answer, "response.algorithm", asked_last="/par")
