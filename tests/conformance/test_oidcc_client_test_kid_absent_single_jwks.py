"""An ID token without kid where the provider has a single key."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginQuirk, assert_accepted

QUIRK = LoginQuirk("there is one key and no kid", Bend(tokens=Tokens(header={"kid": ...})))


def test_the_only_key_there_is_verifies_an_id_token_without_kid(relying_party: Deployment) -> None:
    assert_accepted(QUIRK, QUIRK.tell_to(relying_party))
