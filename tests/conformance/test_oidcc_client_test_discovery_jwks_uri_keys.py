"""Keys are fetched from the jwks_uri of the metadata."""

from __future__ import annotations

from tests.certification.plan import Module, Plan
from tests.support.discovery_lies import KEYS
from tests.support.login_lies import LoginQuirk, assert_accepted
from tests.support.relying_parties import RelyingParties

QUIRK = LoginQuirk("the keys are where the metadata say", calls=("token",), claims={})


def test_keys_are_fetched_from_where_the_metadata_say(
    plan: Plan, module: Module, relying_parties: RelyingParties
) -> None:
    realm = relying_parties.realm(plan)
    realm.metadata = {"jwks_uri": f"{realm.issuer}/elsewhere/jwks"}
    realm.elsewhere = {"/elsewhere/jwks": KEYS}
    with relying_parties.alone(realm, plan, module) as relying_party:
        assert_accepted(QUIRK, QUIRK.tell_to(relying_party))
    assert (realm.calls["/elsewhere/jwks"], realm.calls[KEYS]) == (1, 0)
