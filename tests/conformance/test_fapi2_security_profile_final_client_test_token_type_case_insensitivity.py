"""A token type in odd capitals."""

from __future__ import annotations

from tests.certification.plan import Plan
from tests.support.deployment import Deployment
from tests.support.lies import Bend, Tokens
from tests.support.module_drives import call_accounts, fapi_realm


def test_a_token_type_counts_in_any_case(plan: Plan, relying_party: Deployment) -> None:
    realm = fapi_realm(relying_party)
    odd = Tokens(members={"token_type": realm.token_type.swapcase()})
    realm.targets["token-type"] = odd
    calls = call_accounts(plan, relying_party, "odd capitals", own_scope="token-type", bend=Bend(tokens=odd))
    assert calls == (() if plan.token == "client" else ("token", "accounts"))
