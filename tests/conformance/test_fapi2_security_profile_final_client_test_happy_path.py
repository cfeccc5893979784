"""Everything as it should be, with nonces demanded of proofs at every endpoint."""

from __future__ import annotations

from collections import Counter

from tests.certification.plan import Plan
from tests.support.deployment import Deployment
from tests.support.fapi_realm import ACCOUNTS
from tests.support.module_drives import call_accounts, fapi_realm


def test_a_login_and_a_call_with_a_bound_token(plan: Plan, relying_party: Deployment) -> None:
    realm = fapi_realm(relying_party)
    before, pushed = Counter(realm.challenges), realm.calls["/par"]
    calls = call_accounts(plan, relying_party, "all is well", own_scope="happy-path")
    assert calls == (() if plan.token == "client" else ("token", "accounts"))
    # Each server demands a nonce once, and gets it with the next proof.
    proves = ["/token", ACCOUNTS] if plan.token == "client" else ["/par", "/token", ACCOUNTS]
    asked = realm.challenges - before
    assert asked == (Counter(proves) if realm.client.is_bound_to_key else Counter())
    assert realm.calls["/par"] - pushed == asked["/par"] + ("/par" in proves)
