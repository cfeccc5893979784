"""Authorization responses that are true, but arrive in the wrong browser, at the wrong login, or once too often."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.support.deployment import Deployment, WatchedBrowser, login_path
from tests.support.forgeries import with_broken_signature
from tests.support.lies import Bend, Tokens
from tests.support.stage import Stage

NOBODY = {"authenticated": False, "login_url": "/bff/login"}


def held_back(deployment: Deployment, browser: WatchedBrowser, name: str) -> str:
    """Log in up to the provider's redirect; the callback's URL, which the browser has not opened."""
    to_provider = browser.follow(login_path(name), stay_on=browser.origin)[-1].location
    assert to_provider is not None
    to_callback = browser.follow(to_provider, stay_on=origin_of_provider(deployment))[-1].location
    assert to_callback is not None
    browser.page = f"{browser.origin}/"
    return to_callback


def origin_of_provider(deployment: Deployment) -> str:
    parts = urlsplit(deployment.realm.issuer)
    return f"{parts.scheme}://{parts.netloc}"


def parameters(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def copy_cookies(browser: WatchedBrowser, other: WatchedBrowser) -> None:
    """Give the other browser the cookies that this one has now."""
    cookies = browser.cookies.header(browser.origin, same_site=True, top_level_get=True) or ""
    other.cookies.store(browser.origin, [f"{pair}; Path=/; SameSite=Lax" for pair in cookies.split("; ")])


def with_parameters(url: str, **changes: str) -> str:
    return f"{url.partition('?')[0]}?{urlencode({**parameters(url), **changes})}"


def test_a_login_begun_in_one_browser_does_not_end_in_another(stage: Stage) -> None:
    deployment, name = stage.main, "csrf-attacker"
    with deployment.browser() as attacker, deployment.browser() as victim:
        url = held_back(deployment, attacker, name)
        answer = victim.open(url)[-1]
        assert (answer.status, deployment.refusal(answer)) == (400, "callback.state_unknown")
        assert victim.session() == NOBODY
        assert not victim.holds_session_cookie()
        assert deployment.login(name).calls == []
        # The code is unspent, so the login still ends where it began.
        assert attacker.open(url)[0].status == 303
        assert attacker.session()["claims"]["sub"] == f"user-of-{name}"


def test_a_victim_who_is_logging_in_is_not_logged_in_as_the_attacker(stage: Stage) -> None:
    deployment = stage.main
    with deployment.browser() as attacker, deployment.browser() as victim:
        of_attacker = held_back(deployment, attacker, "csrf-attacker-2")
        of_victim = held_back(deployment, victim, "csrf-victim-2")
        assert victim.open(of_attacker)[-1].status == 400
        assert victim.session() == NOBODY
        assert victim.open(of_victim)[0].status == 303
        assert victim.session()["claims"]["sub"] == "user-of-csrf-victim-2"


def test_a_victim_who_is_logged_in_stays_who_they_are(stage: Stage) -> None:
    deployment = stage.main
    with deployment.browser() as attacker, deployment.browser() as victim:
        deployment.log_in("csrf-victim-3", victim)
        before = victim.cookies.header(victim.origin, same_site=True, top_level_get=True)
        of_attacker = held_back(deployment, attacker, "csrf-attacker-3")
        victim.follow(of_attacker)
        assert victim.cookies.header(victim.origin, same_site=True, top_level_get=True) == before
        assert victim.session()["claims"]["sub"] == "user-of-csrf-victim-3"
        assert deployment.login("csrf-attacker-3").calls == []


def test_a_code_of_one_login_is_not_redeemed_for_another(stage: Stage) -> None:
    deployment = stage.main
    with deployment.browser() as attacker, deployment.browser() as victim:
        of_attacker = held_back(deployment, attacker, "injector")
        of_victim = held_back(deployment, victim, "injected")
        answer = victim.open(with_parameters(of_victim, code=parameters(of_attacker)["code"]))[-1]
        assert (answer.status, deployment.refusal(answer)) == (400, "token.invalid_grant")
        assert victim.session() == NOBODY
        assert deployment.login("injector").access_tokens == []


def test_a_callback_that_comes_again_spends_no_code_and_leaves_the_session_alone(stage: Stage) -> None:
    deployment, name = stage.main, "reloader"
    with deployment.browser() as browser:
        url = held_back(deployment, browser, name)
        assert browser.open(url)[0].status == 303
        before = browser.cookies.header(browser.origin, same_site=True, top_level_get=True)
        again = browser.open(url)[0]
        assert (again.status, again.location) == (303, f"{browser.origin}/")
        assert browser.cookies.header(browser.origin, same_site=True, top_level_get=True) == before
        assert browser.session()["authenticated"] is True
        assert deployment.login(name).calls == ["token", "userinfo"]


def test_a_callback_whose_login_was_refused_is_refused_again_without_a_call(stage: Stage) -> None:
    deployment, name = stage.main, "refused-reloader"
    deployment.realm.bends[name] = Bend(tokens=Tokens(forge=with_broken_signature))
    with deployment.browser() as browser:
        url = held_back(deployment, browser, name)
        assert browser.open(url)[-1].status == 400
        deployment.realm.bends[name] = Bend()
        assert browser.open(url)[-1].status == 400
        assert browser.session() == NOBODY
        assert deployment.login(name).calls == ["token"]


def test_a_callback_replayed_with_the_cookies_of_before_spends_no_code(stage: Stage) -> None:
    deployment, name = stage.main, "cookie-keeper"
    with deployment.browser() as browser, deployment.browser() as thief:
        url = held_back(deployment, browser, name)
        copy_cookies(browser, thief)
        assert browser.open(url)[0].status == 303
        answer = thief.open(url)[-1]
        assert (answer.status, deployment.refusal(answer)) == (400, "callback.state_spent")
        assert thief.session() == NOBODY
        assert deployment.login(name).calls == ["token", "userinfo"]


def test_two_tabs_may_end_their_logins_in_either_order(stage: Stage) -> None:
    deployment = stage.main
    with deployment.browser() as browser:
        first = held_back(deployment, browser, "tab-one")
        second = held_back(deployment, browser, "tab-two")
        assert browser.open(second)[0].status == 303
        assert browser.session()["claims"]["sub"] == "user-of-tab-two"
        assert browser.open(first)[0].status == 303
        assert browser.session()["claims"]["sub"] == "user-of-tab-one"


def test_a_callback_is_a_navigation_and_not_a_post(stage: Stage) -> None:
    deployment = stage.main
    with deployment.browser() as browser:
        url = held_back(deployment, browser, "poster")
        answer = browser.fetch("/bff/callback", method="POST", content=urlsplit(url).query.encode())
        assert answer.status == 405
        assert deployment.login("poster").calls == []


@pytest.mark.parametrize("was_logged_in", [False, True])
def test_a_logout_wins_over_a_login_whose_answer_has_not_reached_the_browser(stage: Stage, was_logged_in: bool) -> None:
    deployment, name = stage.main, f"overtaken-{was_logged_in}"
    with deployment.browser() as browser, deployment.browser() as before_the_answer:
        if was_logged_in:
            deployment.log_in(f"{name}-first", browser)
        url = held_back(deployment, browser, name)
        copy_cookies(browser, before_the_answer)
        assert browser.open(url)[0].status == 303
        assert before_the_answer.fetch("/bff/logout", method="POST").status == 200
        assert browser.session() == NOBODY
        answer = deployment.call_api(browser, name)
        assert (answer.status, answer.json()["code"]) == (401, "session_ended")
