"""A FAPI 2.0 provider that lies: what the profile makes the gateway refuse, and what it still takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from joserfc.jwk import ECKey

from tests.certification.upstream import Upstream
from tests.support.deployment import Deployment, deployed
from tests.support.fapi_realm import FapiClient, FapiRealm
from tests.support.leaks import SEEN
from tests.support.lies import Answer, Bend, Draft, Tokens, json_answer
from tests.support.login_lies import LoginLie, slug
from tests.support.realm_server import RealmServer
from tests.support.signed_tokens import segment


def demand(*nonces: str) -> Answer:
    """A refusal for want of a nonce, with these fields for one."""
    return Answer(
        400,
        b'{"error":"use_dpop_nonce"}',
        headers=tuple(("DPoP-Nonce", nonce) for nonce in nonces) or (("DPoP-Nonce", ""),),
    )


def unsigned(draft: Draft) -> str:
    return f"{segment({**draft.header, 'alg': 'none'})}.{segment(draft.claims)}."


def lie(rule: str, reason: str, bend: Bend, *, status: int = 400, calls: tuple[str, ...] = ("token",)) -> LoginLie:
    return LoginLie(rule, bend, reason, status=status, calls=calls)


def tokens(**members: object) -> Bend:
    return Bend(tokens=Tokens(members=members))


LIES = [
    lie("the token is a bearer token", "token.token_type", tokens(token_type="Bearer")),
    lie("the token is of a type nobody knows", "token.token_type", tokens(token_type="N_A")),
    lie("the token is of no type", "token.token_type", tokens(token_type=...)),
    lie(
        *("iss is missing though nothing promised it", "callback.issuer_missing"),
        *(Bend(response={"iss": ...}),),
        calls=(),
    ),
    lie("iss is another provider's", "callback.issuer", Bend(response={"iss": "https://attacker.example"}), calls=()),
    lie(
        "the ID token is signed with RS256, which the metadata list",
        *("id_token.algorithm", Bend(tokens=Tokens(header={"alg": "RS256"}))),
    ),
    lie("the ID token is not signed", "id_token.algorithm", Bend(tokens=Tokens(forge=unsigned))),
    lie(
        "the provider wants a nonce, and then another",
        *("token.unknown_error", Bend(tokens=Tokens(answer=demand("one-more")))),
    ),
    lie("the provider wants a nonce and gives none", "token.unknown_error", Bend(tokens=Tokens(answer=demand()))),
    lie("the nonce could end a header", "token.unknown_error", Bend(tokens=Tokens(answer=demand('a"b')))),
    lie("the provider gives two nonces", "token.unknown_error", Bend(tokens=Tokens(answer=demand("one", "two")))),
    lie(
        *("the provider refuses the proof", "token.invalid_dpop_proof"),
        *(Bend(tokens=Tokens(answer=json_answer(400, error="invalid_dpop_proof"))),),
        status=503,
    ),
]

QUIRKS = [
    ("the type is in lower case", tokens(token_type="dpop")),
    ("the type is in capitals", tokens(token_type="DPOP")),
    ("no lifetime is told", tokens(expires_in=...)),
    ("the audience is a list of one", Bend(tokens=Tokens(claims={"aud": ["timesheets"]}))),
]


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    with ExitStack() as started:
        server = started.enter_context(RealmServer(SEEN).running())
        client_key = ECKey.generate_key("P-256", parameters={"kid": "client"})
        client = FapiClient(jwks={"keys": [client_key.as_dict(private=False)]})
        realm = server.add("/fapi", FapiRealm(f"{server.url}/fapi", SEEN, client))
        # Under the profile the issuer must be in the answer, and no other algorithm counts, whatever is said of it.
        realm.metadata |= {
            "authorization_response_iss_parameter_supported": False,
            "id_token_signing_alg_values_supported": ["RS256", "PS256"],
        }
        api = started.enter_context(Upstream())
        key = json.dumps(client_key.as_dict(private=True))
        variables = {"BFF_PROFILE": "fapi2", "BFF_CLIENT_KEY": key, "BFF_CLIENT_SECRET": "", "BFF_USERINFO": "off"}
        yield started.enter_context(deployed(realm, api, SEEN, **variables))
        assert server.faults == []


@pytest.mark.parametrize("lie", LIES, ids=str)
def test_a_login_is_refused_if(lie: LoginLie, deployment: Deployment) -> None:
    name = slug(lie.rule)
    deployment.realm.bends[name] = lie.bend
    with deployment.browser() as browser:
        answer = deployment.log_in(name, browser).callback
        assert (answer.status, deployment.refusal(answer)) == (lie.status, lie.reason)
        assert browser.session()["authenticated"] is False
        assert not browser.holds_session_cookie()
        assert deployment.call_api(browser, name).status == 401
    assert tuple(deployment.login(name).calls) == lie.calls
    assert deployment.api_calls(name) == []


@pytest.mark.parametrize("rule, bend", QUIRKS, ids=[rule for rule, _ in QUIRKS])
def test_a_login_is_accepted_though(rule: str, bend: Bend, deployment: Deployment) -> None:
    name = slug(rule)
    deployment.realm.bends[name] = bend
    with deployment.browser() as browser:
        assert deployment.log_in(name, browser).callback.status == 303
        assert deployment.call_api(browser, name).status == 200
    (call,) = deployment.api_calls(name)
    token = deployment.login(name).access_tokens[-1]
    assert call.authorization == f"DPoP {token}"


def test_a_refresh_that_loses_the_binding_changes_nothing(deployment: Deployment) -> None:
    name = "refresh-without-binding"
    bearer = Tokens(members={"token_type": "Bearer"})
    deployment.realm.bends[name] = Bend(refreshes=(bearer,))
    with deployment.browser() as browser:
        deployment.log_in(name, browser)
        assert browser.fetch("/bff/session/refresh", method="POST").status == 503
        assert browser.session()["authenticated"] is True
        assert deployment.call_api(browser, name).status == 200
    first = deployment.login(name).access_tokens[0]
    assert [call.authorization for call in deployment.api_calls(name)] == [f"DPoP {first}"]


def realm_of(deployment: Deployment) -> FapiRealm:
    assert isinstance(deployment.realm, FapiRealm)
    return deployment.realm


def test_the_proofs_of_one_session_are_by_one_key_and_those_of_another_by_another(deployment: Deployment) -> None:
    proved, keys = realm_of(deployment).proved, []
    for name in ("first-session", "second-session"):
        before = len(proved)
        with deployment.browser() as browser:
            deployment.log_in(name, browser)
            assert browser.fetch("/bff/session/refresh", method="POST").status == 200
        keys.append(deployment.login(name).parameters["dpop_jkt"])
        assert {path for path, _ in proved[before:]} == {"/par", "/token"}
        assert {key for _, key in proved[before:]} == {keys[-1]}
    assert len(set(keys)) == 2


def test_a_provider_that_wants_another_nonce_each_time_is_asked_twice(deployment: Deployment) -> None:
    proved, name = realm_of(deployment).proved, "another-nonce-each-time"
    deployment.realm.bends[name] = Bend(tokens=Tokens(answer=demand("not-the-newest")))
    before = len(proved)
    with deployment.browser() as browser:
        assert deployment.log_in(name, browser).callback.status == 400
    assert [path for path, _ in proved[before:]].count("/token") == 2
