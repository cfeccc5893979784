"""Another site sends the browser to the gateway's initiate_login_uri."""

from __future__ import annotations

from urllib.parse import urlencode

from tests.support.deployment import RETURN_TO, Attempt, Deployment
from tests.support.login_lies import accepted

NAME = "sent-by-another-site"


def test_a_login_begins_at_another_site_and_ends_where_it_says(relying_party: Deployment) -> None:
    realm = relying_party.realm
    with relying_party.browser() as browser:
        browser.open(f"{realm.issuer}/logout")
        target = f"{browser.origin}{RETURN_TO}"
        asked = urlencode({"iss": realm.issuer, "login_hint": NAME, "target_link_uri": target})
        visits = browser.follow(f"{browser.origin}/bff/login?{asked}")
        told = accepted(relying_party, Attempt(browser, visits), NAME)
    assert (told.callback.status, told.callback.location) == (303, target)
    assert told.session["claims"]["sub"] == f"user-of-{NAME}"
    assert told.calls == ("token", "userinfo")
    assert told.bearer == [f"Bearer {told.access_token}"]
