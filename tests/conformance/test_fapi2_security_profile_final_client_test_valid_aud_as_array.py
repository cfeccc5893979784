"""An ID token whose aud is a list of the client alone."""

from __future__ import annotations

from tests.certification.plan import Plan
from tests.support.deployment import Deployment
from tests.support.lies import Bend, Tokens
from tests.support.module_drives import call_accounts


def test_an_audience_of_one_in_a_list_is_accepted(plan: Plan, relying_party: Deployment) -> None:
    calls = call_accounts(
        plan, relying_party, "the audience is a list", bend=Bend(tokens=Tokens(claims={"aud": ["timesheets"]}))
    )
    assert calls == (() if plan.token == "client" else ("token", "accounts"))
