"""An ID token signed with RS256, beside what only looks like one."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginLie, LoginQuirk, assert_accepted, assert_refused

QUIRK = LoginQuirk("the ID token is signed with RS256", Bend(tokens=Tokens(header={"alg": "RS256"})))
LIE = LoginLie(
    "the ID token says RS256 over another signature",
    Bend(tokens=Tokens(forge=lambda draft: draft.signed(algorithm="PS256", alg="RS256"))),
    "id_token.signature",
)


def test_rs256_is_accepted_and_what_only_says_so_is_not(relying_party: Deployment) -> None:
    assert_accepted(QUIRK, QUIRK.tell_to(relying_party))
    assert_refused(LIE, LIE.tell_to(relying_party))
