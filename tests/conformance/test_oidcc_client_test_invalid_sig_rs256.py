"""An ID token whose RS256 signature is wrong."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.forgeries import with_broken_signature
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie(
    "the ID token's signature is broken", Bend(tokens=Tokens(forge=with_broken_signature)), "id_token.signature"
)


def test_an_id_token_with_a_broken_signature_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
