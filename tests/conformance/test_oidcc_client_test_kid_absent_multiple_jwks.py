"""An ID token without kid where the provider has several keys: it counts if one of them has signed it, and not else."""

from __future__ import annotations

from tests.certification.plan import Module, Plan
from tests.support.forgeries import signed_by_stranger
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginLie, LoginQuirk, assert_accepted, assert_refused
from tests.support.relying_parties import RelyingParties
from tests.support.signed_tokens import public_jwk, rsa_key

QUIRK = LoginQuirk("there are several keys and no kid", Bend(tokens=Tokens(header={"kid": ...})))
LIE = LoginLie(
    "there are several keys, no kid and another signature",
    Bend(tokens=Tokens(forge=signed_by_stranger(kid=...))),
    "id_token.key",
)


def test_without_kid_the_provider_s_keys_are_tried_and_no_others(
    plan: Plan, module: Module, relying_parties: RelyingParties
) -> None:
    realm = relying_parties.realm(plan)
    others = [public_jwk(rsa_key(number), kid=f"other-{number}", use="sig", alg="RS256") for number in (1, 2)]
    realm.keys = [*others, public_jwk(realm.key, kid="ours", use="sig", alg="RS256")]
    with relying_parties.alone(realm, plan, module) as relying_party:
        assert_accepted(QUIRK, QUIRK.tell_to(relying_party))
        assert_refused(LIE, LIE.tell_to(relying_party))
