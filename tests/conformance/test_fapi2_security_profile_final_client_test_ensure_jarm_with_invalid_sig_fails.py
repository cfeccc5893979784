"""An answer signed by somebody else is refused."""

from tests.conformance.play import Play
from tests.support.signed_tokens import CLIENT_ID, ISSUER, rsa_key, sign
from tests.support.virtual_time import clock


async def test_ensure_jarm_with_invalid_sig_fails(signed_play: Play) -> None:
    request = await signed_play.begin()
    claims = {"iss": ISSUER, "aud": CLIENT_ID, "exp": int(clock()) + 60, "code": "c", "state": request["state"]}
    token = sign(claims, algorithm="PS256", key=rsa_key(9), kid=signed_play.provider.kid)
    answer = await signed_play.come_back_signed(request, token=token)
    await signed_play.refused(answer, "response.signature", asked_last="/par")
