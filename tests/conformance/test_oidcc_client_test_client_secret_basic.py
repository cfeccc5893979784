"""The client proves itself at the token endpoint with client_secret_basic, and in no other way."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.login_lies import LoginQuirk, assert_accepted

QUIRK = LoginQuirk("the client proves itself in the header")


def test_the_secret_is_sent_in_the_header_alone(relying_party: Deployment) -> None:
    before = relying_party.realm.authentications["basic"]
    assert_accepted(QUIRK, QUIRK.tell_to(relying_party))
    assert relying_party.realm.authentications["basic"] > before
    assert relying_party.realm.authentications["post"] == 0
