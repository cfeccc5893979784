"""Back-channel logout: the sessions that a true logout token names end, and no other token ends any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.forgeries import (
    encrypted_shape,
    signed_by_stranger,
    signed_with_client_secret,
    signed_with_public_pem,
    text,
    unsigned,
    with_broken_signature,
    with_other_payload,
    with_own_key_in_header,
    with_raw_payload,
)
from tests.support.key_sets import ENCRYPTION_KEY
from tests.support.lies import Forge, Tokens, ago, ahead, as_text
from tests.support.login_lies import slug
from tests.support.logout_lies import FORM, LoggedOut, LogoutScene, as_form, assert_ended, assert_refused_with_400, post
from tests.support.lying_provider import LOGOUT_EVENT
from tests.support.signed_tokens import key_for, rsa_key
from tests.support.stage import Scene, Stage

US = "timesheets"


def claim(rule: str, reason: str, /, **claims: Any) -> LogoutScene:
    """Claims that must not be there, or not be so, truly signed."""
    return LogoutScene(rule, f"logout_token.{reason}", Tokens(claims=claims))


def header(rule: str, reason: str, /, **members: Any) -> LogoutScene:
    """A header that is not as it should be, truly signed."""
    return LogoutScene(rule, f"logout_token.{reason}", Tokens(header=members))


def forged(rule: str, reason: str, forge: Forge) -> LogoutScene:
    """A token that the provider has not signed, or not as it should."""
    return LogoutScene(rule, f"logout_token.{reason}", Tokens(forge=forge))


def sent(rule: str, reason: str, body: Callable[[str], bytes], /, **headers: str) -> LogoutScene:
    """A true token in a request that is not as it should be."""
    fields = {**FORM, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return LogoutScene(rule, reason, body=body, headers=fields)


LIES = [
    claim("its iss is another provider's", "issuer", iss="https://attacker.example"),
    claim("its iss is missing", "issuer", iss=...),
    claim("its aud is another client", "audience", aud="somebody-else"),
    claim("its aud is missing", "audience", aud=...),
    claim("its aud has a second audience", "audience", aud=[US, "somebody-else"]),
    claim("its iat is missing", "iat", iat=...),
    claim("its iat is text", "iat", iat=as_text(ago(1))),
    claim("its iat is in the future", "iat", iat=ahead(120)),
    claim("it was issued an hour ago", "iat", iat=ago(3600), exp=ahead(3600)),
    claim("it was issued minutes ago and has no exp", "expired", iat=ago(240), exp=...),
    claim("it has expired", "expired", exp=ago(90)),
    claim("its exp is beyond all time", "exp", exp=1e300),
    claim("its exp is true", "exp", exp=True),
    claim("its nbf is in the future", "nbf", nbf=ahead(120)),
    claim("its jti is missing", "jti", jti=...),
    claim("its jti is empty", "jti", jti=""),
    claim("its jti is a number", "jti", jti=5),
    claim("its events are missing", "events", events=...),
    claim("its events are a list", "events", events=[LOGOUT_EVENT]),
    claim("its events are others", "events", events={"http://schemas.openid.net/event/other": {}}),
    claim("its event is not an object", "events", events={LOGOUT_EVENT: True}),
    claim("it has a nonce", "nonce", nonce="abc"),
    claim("it has a nonce of null", "nonce", nonce=lambda _: None),
    claim("it names neither user nor session", "sub", sub=..., sid=...),
    claim("its sub is a number", "sub", sub=5),
    claim("its sid is a list", "sid", sid=["sid"]),
    header("it is typed as an event", "type", typ="secevent+jwt"),
    header("it is typed as an access token", "type", typ="at+jwt"),
    header("it has a critical extension", "critical", crit=["exp"]),
    forged("it is not signed", "algorithm", unsigned("none")),
    forged("it is not signed, in other letters", "algorithm", unsigned("None")),
    forged("it has a MAC made with the client secret", "algorithm", signed_with_client_secret),
    forged("it has a MAC made with the public key as PEM", "algorithm", signed_with_public_pem),
    forged("it is signed with another algorithm", "algorithm",
           lambda draft: draft.signed(algorithm="ES256", key=key_for("ES256"))),
    forged("it is signed by a stranger", "signature", signed_by_stranger()),
    forged("it is signed by a stranger under another kid", "key", signed_by_stranger(kid="stranger")),
    forged("it brings its own key", "key", with_own_key_in_header),
    forged("it is signed with the key for encryption", "signature",
           lambda draft: draft.signed(key=rsa_key(ENCRYPTION_KEY))),
    forged("a bit of its signature is wrong", "signature", with_broken_signature),
    forged("its claims were changed after signing", "signature", with_other_payload(sid="another")),
    forged("it is no token", "malformed", text("abc")),
    forged("it is encrypted", "encrypted", encrypted_shape),
    forged("it says sub twice", "malformed",
           with_raw_payload(lambda payload: payload[:-1] + b',"sub":"user-of-somebody-else"}')),
    forged("it is longer than any logout token", "too_large",
           with_raw_payload(lambda payload: payload[:-1] + b',"x":"' + b"x" * 30_000 + b'"}')),
    sent("it comes twice in one request", "logout_token.malformed", lambda token: b"&".join([as_form(token)] * 2)),
    sent("it comes with another token", "logout_token.malformed",
         lambda token: as_form(token) + b"&" + urlencode({"logout_token": "a.b.c"}).encode()),
    sent("it comes as JSON", "body.media_type", lambda token: b'{"logout_token":"%s"}' % token.encode(),
         Content_Type="application/json"),
    sent("it comes as plain text", "body.media_type", as_form, Content_Type="text/plain"),
    sent("its name is another", "logout_token.missing", lambda token: urlencode({"token": token}).encode()),
    sent("there is none", "logout_token.missing", lambda token: b""),
    sent("it is empty", "logout_token.missing", lambda token: b"logout_token="),
    sent("the form is too long", "body.size", lambda token: as_form(token) + b"&x=" + b"x" * 70_000),
    sent("the form has a broken escape", "logout_token.malformed", lambda token: as_form(token) + b"&x=%zz"),
    LogoutScene("it is posted again", "logout_token.replayed", Tokens(claims={"sid": "nobody's"}), times=2),
]  # fmt: skip

TRUE = [
    LogoutScene("it names the session and the user"),
    LogoutScene("it names the session alone", tokens=Tokens(claims={"sub": ...})),
    LogoutScene("it names the user alone", tokens=Tokens(claims={"sid": ...})),
    LogoutScene("it has no exp, as with older providers", tokens=Tokens(claims={"exp": ...})),
    LogoutScene("it has neither exp nor sid", tokens=Tokens(claims={"exp": ..., "sid": ...})),
    LogoutScene("its type is missing, as with older providers", tokens=Tokens(header={"typ": ...})),
    LogoutScene("its type is that of any JWT, as with older providers", tokens=Tokens(header={"typ": "JWT"})),
    LogoutScene("its type is in full", tokens=Tokens(header={"typ": "application/logout+jwt"})),
    LogoutScene("its kid is missing", tokens=Tokens(header={"kid": ...})),
    LogoutScene("its aud is a list of us alone", tokens=Tokens(claims={"aud": [US]})),
    LogoutScene("its event has members", tokens=Tokens(claims={"events": {LOGOUT_EVENT: {"why": "x"}, "urn:x": {}}})),
    LogoutScene("it has claims nobody knows", tokens=Tokens(claims={"toe": 1, "txn": "a", "auth_time": 0})),
    LogoutScene("its clock is half a minute ahead", tokens=Tokens(claims={"iat": ahead(30)})),
    LogoutScene("it comes with parameters nobody knows", body=lambda token: as_form(token) + b"&session_state=abc"),
    LogoutScene("its form says how it is encoded",
                headers={"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}),
    LogoutScene("it comes with a foreign Origin", headers={**FORM, "Origin": "null", "Sec-Fetch-Site": "cross-site"}),
]  # fmt: skip

FOREIGN = [
    LogoutScene("it is about another user's session", about="somebody-else"),
    LogoutScene("it is about another user", about="somebody-else", tokens=Tokens(claims={"sid": ...})),
    LogoutScene("it is about another session of the same user", tokens=Tokens(claims={"sid": "sid-of-another-device"})),
]


@pytest.mark.parametrize("scene", LIES, ids=str)
def test_a_session_lives_on_and_the_provider_is_told_400_if(
    scene: LogoutScene, told: Callable[[Scene[Any]], Any]
) -> None:
    assert_refused_with_400(scene, told(scene))


@pytest.mark.parametrize("scene", TRUE, ids=str)
def test_a_session_ends_though(scene: LogoutScene, told: Callable[[Scene[Any]], Any]) -> None:
    assert_ended(told(scene))


@pytest.mark.parametrize("scene", FOREIGN, ids=str)
def test_a_session_lives_on_and_the_provider_is_told_200_if(
    scene: LogoutScene, told: Callable[[Scene[Any]], Any]
) -> None:
    logged_out: LoggedOut = told(scene)
    assert logged_out.answer.status_code == 200
    assert logged_out.session["authenticated"] is True
    assert (logged_out.api_status, logged_out.api_code) == (200, None)


def test_an_id_token_is_no_logout_token(stage: Stage) -> None:
    deployment, name = stage.main, "posts-an-id-token"
    with deployment.browser() as browser:
        deployment.log_in(name, browser)
        (id_token,) = [value for value, kind in stage.ledger.secrets.items() if kind == f"ID token of {name}"]
        posted = post(deployment, as_form(id_token))
        assert posted.status_code == 400
        assert browser.session()["authenticated"] is True


def test_a_logout_by_user_ends_every_session_of_the_user_and_a_login_after_it_works(stage: Stage) -> None:
    deployment, name = stage.main, slug("two devices and a logout of the user")
    phone, desk, later = deployment.browser(), deployment.browser(), deployment.browser()
    with phone, desk, later:
        for browser in (phone, desk):
            assert deployment.log_in(name, browser).callback.status == 303
        token = deployment.realm.logout_token(name, Tokens(claims={"sid": ..., "iat": ago(2)}))
        assert post(deployment, as_form(token)).status_code == 200
        assert [browser.session()["authenticated"] for browser in (phone, desk)] == [False, False]
        assert deployment.log_in(name, later).callback.status == 303
        assert later.session()["authenticated"] is True
        assert post(deployment, as_form(token)).status_code == 400, "a replay must not end the new session"
        assert later.session()["authenticated"] is True


def test_the_endpoint_takes_nothing_but_a_post(stage: Stage) -> None:
    with stage.main.browser() as browser:
        answer = browser.fetch("/bff/backchannel-logout")
    assert answer.status == 405
    assert answer.headers["allow"] == "POST"
