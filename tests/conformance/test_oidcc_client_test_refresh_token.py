"""A refresh, and UserInfo and the API with the new token."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Tokens
from tests.support.refresh_lies import RefreshQuirk

QUIRK = RefreshQuirk("the tokens are new", Tokens(claims={"nonce": ...}))


def test_after_a_refresh_the_new_tokens_are_used(relying_party: Deployment) -> None:
    refreshed = QUIRK.tell_to(relying_party)
    assert (refreshed.answer.status, refreshed.next_call.status) == (200, 200)
    assert refreshed.bearer == refreshed.newest == 1
    assert refreshed.used == (0, 1), "the second refresh is made with the new refresh token"
    assert relying_party.login(QUIRK.name).calls[-2:] == ["refresh", "userinfo"]
