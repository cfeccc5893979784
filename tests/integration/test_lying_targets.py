"""A provider that lies about the tokens of single routes: no lie reaches an API, none costs the session or a neighbour.

Each route is a lie of its own, by the name of what it asks for; all are told to one gateway.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from bff.oauth.token_response import ACCESS_TOKEN_TYPE
from tests.certification.upstream import Upstream
from tests.support.deployment import Deployment, deployed
from tests.support.leaks import SEEN
from tests.support.lies import Answer, Tokens, json_answer
from tests.support.processes import start_valkey
from tests.support.realm_server import RealmServer
from tests.support.signed_tokens import rsa_key, sign

NO_ID_TOKEN = {"id_token": ...}


def access_jwt(**claims: Any) -> str:
    """Return an access token that can be read."""
    return sign({"iss": "https://idp.example", **claims}, algorithm="RS256", key=rsa_key(), kid="signing")


@dataclass(frozen=True)
class Lie:
    """What a route asks for, how the answer is bent, and the reason that the log gives; `new_refresh_token` is kept."""

    rule: str
    fields: dict[str, Any]
    bent: Tokens
    reason: str
    code: str = "provider_unavailable"
    new_refresh_token: bool = False

    @property
    def prefix(self) -> str:
        """The route's prefix."""
        return "/" + self.rule.replace(" ", "-")

    @property
    def target(self) -> str:
        """What the provider knows the lie by."""
        return str(self.fields.get("resource") or self.fields.get("audience") or self.fields.get("scope"))

    def __str__(self) -> str:
        return self.rule


def of_refresh(rule: str, reason: str, *, spent: bool = True, answer: Answer | None = None, **members: Any) -> Lie:
    resource = f"https://{rule.replace(' ', '-')}.example/"
    bent = Tokens(members={**NO_ID_TOKEN, **members}, answer=answer)
    return Lie(rule, {"resource": resource}, bent, reason, new_refresh_token=spent)


def of_scope(rule: str, reason: str, **members: Any) -> Lie:
    return Lie(rule, {"scope": rule.replace(" ", "-")}, Tokens(members={**NO_ID_TOKEN, **members}), reason,
               new_refresh_token=True)  # fmt: skip


def of_exchange(rule: str, reason: str, *, answer: Answer | None = None, **members: Any) -> Lie:
    fields = {"audience": rule.replace(" ", "-"), "exchange": True}
    return Lie(rule, fields, Tokens(members=members, answer=answer), reason)


def of_client(rule: str, reason: str, *, answer: Answer | None = None, **members: Any) -> Lie:
    fields = {"audience": rule.replace(" ", "-"), "token": "client"}
    return Lie(rule, fields, Tokens(members=members, answer=answer), reason)


def refused(error: str) -> Answer:
    return json_answer(400, error=error)


LIES = (
    of_refresh("the token is for another api", "token.audience", access_token=access_jwt(aud="https://other.example/")),
    of_refresh("the token is for several others", "token.audience", access_token=access_jwt(aud=["a", "b"])),
    of_refresh("the token is for nobody", "token.audience", access_token=access_jwt()),
    of_refresh("the resource is unknown", "token.invalid_target", spent=False, answer=refused("invalid_target")),
    of_refresh("the grant is not for this client", "token.unauthorized_client", spent=False,
               answer=refused("unauthorized_client")),
    of_refresh("the grant is refused for it alone", "target.grant_refused", answer=refused("invalid_grant")),
    of_refresh("an error nobody knows", "token.unknown_error", spent=False, answer=refused("no_such_error")),
    of_scope("the scope is less", "token.scope_less_than_asked", scope="openid"),
    of_scope("the scope is empty", "token.scope_less_than_asked", scope=""),
    of_scope("the scope is of another case", "token.scope_less_than_asked", scope="THE-SCOPE-IS-OF-ANOTHER-CASE"),
    of_exchange("it is no access token", "token.issued_token_type",
                issued_token_type="urn:ietf:params:oauth:token-type:refresh_token"),
    of_exchange("it does not say what it is", "token.issued_token_type", issued_token_type=...),
    of_exchange("it is for another api", "token.audience", access_token=access_jwt(aud="other")),
    of_exchange("it was refused", "token.invalid_target", answer=refused("invalid_target")),
    of_exchange("the subject is refused", "token.refused", answer=refused("invalid_grant")),
    of_exchange("it is the wrong kind of token", "token.token_type", token_type="N_A"),
    of_client("the client gets nothing", "token.unauthorized_client", answer=refused("unauthorized_client")),
    of_client("the client gets the wrong api", "token.audience", access_token=access_jwt(aud="other")),
    of_client("the client gets no token", "token.access_token", access_token=...),
)  # fmt: skip

TRUTHS = (
    of_refresh("silence about the scope", "", scope=...),
    of_refresh("a more general audience", "", access_token=access_jwt(aud="https://a-more-general-audience.example")),
    of_scope("more scope than asked for", "", scope="more-scope-than-asked-for openid"),
    of_exchange("an honest exchange", "", issued_token_type=ACCESS_TOKEN_TYPE),
    of_client("an honest token of the client", ""),
)


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    with ExitStack() as stack:
        server = stack.enter_context(RealmServer(SEEN).running())
        api = stack.enter_context(Upstream())
        valkey = stack.enter_context(start_valkey())
        realm = server.realm("/lies")
        tables = [{"prefix": lie.prefix, "upstream": f"{api.url}{lie.prefix}", **lie.fields} for lie in LIES + TRUTHS]
        realm.targets = {lie.target: lie.bent for lie in LIES + TRUTHS}
        deployment = stack.enter_context(
            deployed(realm, api, SEEN, redis_url=valkey.url, BFF_ROUTES=json.dumps(tables))
        )
        yield deployment
        assert server.faults == []


@pytest.mark.parametrize("lie", LIES, ids=str)
def test_nothing_is_sent_to_an_api_if(deployment: Deployment, lie: Lie) -> None:
    name = f"user{lie.prefix.replace('/', '-')}"
    with deployment.browser() as browser:
        deployment.log_in(name, browser)
        login = deployment.login(name)
        before = login.refresh_tokens[-1]
        answer = browser.fetch(f"{lie.prefix}/x")
        assert (answer.status, answer.json()["code"]) == (503, lie.code)
        assert answer.headers["retry-after"]
        assert lie.reason in deployment.gateway.output()
        assert [call for call in deployment.api.calls if call.path.startswith(f"{lie.prefix}/")] == []
        # The session goes on, with the refresh token that is good now.
        assert browser.session()["authenticated"] is True
        assert (login.refresh_tokens[-1] != before) is lie.new_refresh_token
        assert browser.fetch("/bff/session/refresh", method="POST").status == 200
        assert browser.fetch(f"/api{lie.prefix}").status == 200
        # And for a while nobody is asked again.
        asked = [ask for ask in deployment.realm.asked_for if ask[1] == lie.target]
        assert browser.fetch(f"{lie.prefix}/x").status == 503
        assert [ask for ask in deployment.realm.asked_for if ask[1] == lie.target] == asked


@pytest.mark.parametrize("truth", TRUTHS, ids=str)
def test_a_call_goes_up_with_its_own_token_though(deployment: Deployment, truth: Lie) -> None:
    name = f"user{truth.prefix.replace('/', '-')}"
    with deployment.browser() as browser:
        deployment.log_in(name, browser)
        assert browser.fetch(f"{truth.prefix}/x").status == 200
        assert browser.fetch(f"/api{truth.prefix}").status == 200
    (special,) = [call for call in deployment.api.calls if call.path.startswith(truth.prefix + "/")]
    (ordinary,) = [call for call in deployment.api.calls if call.path == truth.prefix]
    assert special.authorization is not None
    assert ordinary.authorization is not None
    assert special.authorization != ordinary.authorization
