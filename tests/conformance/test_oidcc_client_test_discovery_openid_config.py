"""The metadata are read from the issuer's well-known address, and tell where the endpoints are."""

from __future__ import annotations

from tests.certification.plan import Module, Plan
from tests.support.discovery_lies import METADATA
from tests.support.login_lies import eventually
from tests.support.relying_parties import RelyingParties


def test_the_metadata_say_where_to_log_in(plan: Plan, module: Module, relying_parties: RelyingParties) -> None:
    realm = relying_parties.realm(plan)
    endpoint = f"{realm.issuer}/authorize?found=in%20metadata"
    realm.metadata = {"authorization_endpoint": endpoint}
    with relying_parties.alone(realm, plan, module) as relying_party, relying_party.browser() as browser:
        assert eventually(lambda: realm.calls[METADATA] == 1)
        begun = browser.follow("/bff/login", stay_on=browser.origin)[-1]
        assert (begun.location or "").startswith(f"{endpoint}&")
    assert realm.calls[METADATA] == 1
    assert realm.calls["/token"] == 0
