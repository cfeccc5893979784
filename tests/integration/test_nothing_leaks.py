"""No token, code, verifier, secret or key in anything a browser receives, in a log line or a metric; runs last.

The ledger behind it has every answer, log and secret of the integration tests that ran before, all lies included.
"""

from __future__ import annotations

import json

import httpx2

from tests.support.deployment import Deployment, WatchedBrowser
from tests.support.leaks import SEEN, Ledger
from tests.support.logout_lies import as_form, post
from tests.support.stage import Programme, Stage

KINDS = {
    "access token", "client credentials", "client secret", "code", "code verifier", "code_challenge", "cookie bff",
    "logout token", "nonce", "refresh token", "request_uri", "secret key", "state",
}  # fmt: skip


def visit(deployment: Deployment, name: str) -> None:
    """Everything an application and its provider do in a day."""
    with deployment.browser() as browser:
        browser.open(f"{browser.origin}/")
        assert deployment.call_api(browser, name).status == 401
        assert deployment.log_in(name, browser).callback.status == 303
        assert deployment.call_api(browser, name).status == 200
        for method, path in (("GET", "/bff/session"), ("POST", "/bff/session"), ("POST", "/bff/session/refresh")):
            assert browser.fetch(path, method=method).status == 200
        assert browser.open(f"{browser.origin}/nowhere?code=abc")[-1].status == 404
        assert browser.fetch("/bff/nowhere").status == 404
        assert browser.fetch("/bff/logout").status == 405
        assert browser.fetch("/bff/logout", method="POST", headers={"sec-fetch-site": "cross-site"}).status == 403
        answer = browser.fetch("/bff/logout", method="POST", headers={"accept": "application/json"})
        assert answer.status == 200
        if deployment.realm.metadata.get("end_session_endpoint") is not ...:
            assert "id_token_hint" in answer.json()["logout_url"]
        assert deployment.call_api(browser, name).status == 401


def log_out_elsewhere(deployment: Deployment, name: str) -> None:
    """A logout by form, and one by the provider."""
    with deployment.browser() as browser:
        deployment.log_in(name, browser)
        form = {"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
        assert browser.fetch("/bff/logout", method="POST", headers=form).status == 303
        deployment.log_in(name, browser)
        assert post(deployment, as_form(deployment.realm.logout_token(name))).status_code == 200
        assert browser.session()["authenticated"] is False


def test_nothing_leaks_from_honest_visits_and_from_all_lies(stage: Stage, programme: Programme) -> None:
    for number, deployment in enumerate((stage.main, stage.strict, stage.plain)):
        visit(deployment, f"visitor-{number}")
        log_out_elsewhere(deployment, f"visitor-who-logs-out-{number}")
    programme.finish()
    metrics = httpx2.get(stage.metrics_url, trust_env=False)
    assert metrics.status_code == 200
    SEEN.text("the metrics", metrics.text)
    for deployment in (stage.main, stage.strict, stage.plain):
        output = deployment.gateway.output()
        assert all(json.loads(line) for line in output.splitlines()), "every line is one JSON object"
        SEEN.text("the log so far", output)
    assert {*SEEN.secrets.values()} >= KINDS, "there was nothing to leak"
    assert SEEN.leaks() == []


def test_the_api_is_sent_access_tokens_and_nothing_else_of_the_gateways(stage: Stage, programme: Programme) -> None:
    programme.finish()
    assert stage.api.calls
    for call in stage.api.calls:
        assert call.cookie is None
        assert call.authorization is not None
        scheme, _, token = call.authorization.partition(" ")
        assert (scheme, SEEN.secrets.get(token)) == ("Bearer", "access token")


def test_the_provider_is_sent_no_cookie_and_nothing_it_has_no_endpoint_for(stage: Stage, programme: Programme) -> None:
    programme.finish()
    assert stage.server.faults == []


def test_a_planted_leak_would_have_been_found(stage: Stage) -> None:
    with stage.main.browser() as browser:
        stage.main.log_in("planted", browser)
        handle = cookie_of(browser)
    access_token = stage.main.login("planted").access_tokens[-1]
    for secret in (handle, access_token, stage.main.realm.client_secret):
        planted = Ledger(secrets={secret: SEEN.secrets[secret]})
        planted.text("the log", json.dumps({"event": "x", "reason": secret[3:-3]}))
        assert planted.leaks() == [f"{SEEN.secrets[secret]} in the log"]


def cookie_of(browser: WatchedBrowser) -> str:
    header = browser.cookies.header(browser.origin, same_site=True, top_level_get=True) or ""
    return header.partition("=")[2]
