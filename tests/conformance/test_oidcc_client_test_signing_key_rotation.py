"""The provider changes its key between two logins."""

from __future__ import annotations

from tests.certification.plan import Module, Plan
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginLie, LoginQuirk, assert_accepted, assert_refused
from tests.support.relying_parties import RelyingParties
from tests.support.signed_tokens import rsa_key

BEFORE, AFTER = LoginQuirk("the key is the first"), LoginQuirk("the key is the second")
WITHDRAWN = LoginLie(
    "the key was withdrawn",
    Bend(tokens=Tokens(forge=lambda draft: draft.signed(key=rsa_key(0), kid="signing"))),
    "id_token.key",
)


def test_the_new_key_is_fetched_and_the_old_one_forgotten(
    plan: Plan, module: Module, relying_parties: RelyingParties
) -> None:
    realm = relying_parties.realm(plan)
    with relying_parties.alone(realm, plan, module) as relying_party:
        assert_accepted(BEFORE, BEFORE.tell_to(relying_party))
        realm.key, realm.kid = rsa_key(1), "second"
        assert_accepted(AFTER, AFTER.tell_to(relying_party))
        assert_refused(WITHDRAWN, WITHDRAWN.tell_to(relying_party))
