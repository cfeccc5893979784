"""An ID token signed with another key under the same kid is refused."""

from tests.conformance.play import Play
from tests.support.signed_tokens import rsa_key, sign


async def test_invalid_sig_rs256(play: Play) -> None:
    play.forge(lambda claims: sign(claims, key=rsa_key(9), kid=play.provider.kid))
    await play.refused(await play.log_in(), "id_token.signature", asked_last="/token")
