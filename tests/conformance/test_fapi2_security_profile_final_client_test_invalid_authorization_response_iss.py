"""An authorization response of another issuer."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie(
    "the response's iss is another", Bend(response={"iss": "https://attacker.example"}), "callback.issuer", calls=()
)


def test_a_response_of_another_issuer_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
