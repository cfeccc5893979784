"""A token whose lifetime nobody says."""

from __future__ import annotations

from tests.certification.plan import Plan
from tests.support.deployment import Deployment
from tests.support.lies import Bend, Tokens
from tests.support.module_drives import call_accounts


def test_a_token_without_a_lifetime_is_used(plan: Plan, relying_party: Deployment) -> None:
    calls = call_accounts(
        plan, relying_party, "nobody says how long it lives", bend=Bend(tokens=Tokens(members={"expires_in": ...}))
    )
    assert calls == (() if plan.token == "client" else ("token", "accounts"))
