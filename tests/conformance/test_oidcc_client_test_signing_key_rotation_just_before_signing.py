"""The provider changes its key between the metadata and the ID token."""

from __future__ import annotations

from tests.certification.plan import Module, Plan
from tests.support.discovery_lies import KEYS
from tests.support.login_lies import LoginQuirk, assert_accepted, eventually
from tests.support.relying_parties import RelyingParties
from tests.support.signed_tokens import rsa_key

QUIRK = LoginQuirk("the key is of just now")


def test_a_key_that_is_newer_than_the_keys_at_hand_is_fetched(
    plan: Plan, module: Module, relying_parties: RelyingParties
) -> None:
    realm = relying_parties.realm(plan)
    with relying_parties.alone(realm, plan, module) as relying_party:
        assert eventually(lambda: realm.calls[KEYS] == 1), "the keys of before"
        realm.key, realm.kid = rsa_key(1), "of-just-now"
        assert_accepted(QUIRK, QUIRK.tell_to(relying_party))
    assert realm.calls[KEYS] == 2
