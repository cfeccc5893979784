"""Metadata that name another issuer than the one they were asked of."""

from __future__ import annotations

from tests.certification.plan import Module, Plan
from tests.support.module_drives import assert_believes_nothing_of
from tests.support.relying_parties import RelyingParties


def test_nothing_is_believed_of_metadata_of_another_issuer(
    plan: Plan, module: Module, relying_parties: RelyingParties
) -> None:
    realm = relying_parties.realm(plan)
    realm.metadata = {**realm.metadata, "issuer": "https://attacker.example"}
    with relying_parties.alone(realm, plan, module) as relying_party:
        assert_believes_nothing_of(realm, relying_party, "metadata.issuer")
