"""An ID token without kid is taken if one of several keys verifies it."""

from tests.conformance.play import Play
from tests.support.signed_tokens import key_set, public_jwk, rsa_key


async def test_kid_absent_multiple_jwks(play: Play) -> None:
    play.provider.jwks = key_set(public_jwk(rsa_key(1), kid="a"), public_jwk(play.provider.signing_key, kid="b"))
    play.forge(lambda claims: play.sign(claims, kid=...))
    await play.accepted(await play.log_in())
