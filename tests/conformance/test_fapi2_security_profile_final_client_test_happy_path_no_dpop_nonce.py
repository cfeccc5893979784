"""Everything as it should be at servers that give no nonces."""

from __future__ import annotations

from tests.certification.plan import Module, Plan
from tests.support.fapi_realm import ACCOUNTS, FapiRealm
from tests.support.module_drives import call_accounts
from tests.support.relying_parties import RelyingParties


def test_a_login_and_a_call_without_nonces(plan: Plan, module: Module, relying_parties: RelyingParties) -> None:
    realm = relying_parties.realm(plan)
    assert isinstance(realm, FapiRealm)
    realm.demands_nonces = False
    with relying_parties.alone(realm, plan, module) as relying_party:
        calls = call_accounts(plan, relying_party, "no nonces", own_scope="without-nonces")
    assert calls == (() if plan.token == "client" else ("token", "accounts"))
    assert (realm.calls["/token"], realm.calls[ACCOUNTS], realm.challenges) == (1, 1, {})
