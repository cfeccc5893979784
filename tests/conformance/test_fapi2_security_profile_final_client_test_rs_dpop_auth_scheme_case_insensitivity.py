"""The API's demand for a nonce under a scheme in odd capitals."""

from __future__ import annotations

from tests.certification.plan import Plan
from tests.support.deployment import Deployment
from tests.support.fapi_realm import ACCOUNTS
from tests.support.module_drives import call_accounts, fapi_realm


def test_a_demand_for_a_nonce_is_understood_in_any_case(plan: Plan, relying_party: Deployment) -> None:
    realm = fapi_realm(relying_party)
    realm.challenge_scheme, before = "dPoP", realm.challenges[ACCOUNTS]
    try:
        assert call_accounts(plan, relying_party, "odd demand") == ("token", "accounts")
    finally:
        realm.challenge_scheme = "DPoP"
    assert realm.challenges[ACCOUNTS] == before + 1
