"""What the browser gets to hold: one cookie that no script can read, and no token anywhere."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from tests.browser.stack import LIST, Stack, sign_in
from tests.support.browser_page import Page
from tests.support.chromium import Profile
from tests.support.leaks import Ledger
from tests.support.processes import GatewayServer

STORAGE = """
(async () => ({
  cookies: document.cookie,
  local: {...localStorage},
  session: {...sessionStorage},
  databases: (await indexedDB.databases()).map(({name}) => name),
  caches: await caches.keys(),
  workers: (await navigator.serviceWorker.getRegistrations()).length,
  history: history.state,
  name: window.name,
}))()
"""
NOTHING = {
    "cookies": "",
    "local": {},
    "session": {},
    "databases": [],
    "caches": [],
    "workers": 0,
    "history": None,
    "name": "",
}


def test_no_token_is_in_any_storage_answer_address_or_line_of_the_console(
    profile: Profile, gateway: GatewayServer, stack: Stack
) -> None:
    page = profile.open(record=True)
    sign_in(page, gateway)
    page.click("summary", "See the answers")
    page.click("a", "Waiting")
    page.evaluate("fetch('/bff/session/refresh', {method: 'POST'}).then((answer) => answer.text())")
    page.click("button", "Approve")
    page.wait_for(" h for ")
    assert page.evaluate(STORAGE) == NOTHING
    document = page.evaluate("document.documentElement.outerHTML")
    page.click("button", "Alice Archer")
    page.click("button", "Sign out")
    page.wait_for("Sign in to see yours.")
    assert page.evaluate(STORAGE) == NOTHING

    ledger = _ledger(page, gateway, stack)
    ledger.text("the document", document)
    ledger.text("the cookies", json.dumps(profile.cookies()))
    assert ledger.leaks() == []


def test_with_the_hint_turned_off_not_even_the_logout_shows_a_token(profile: Profile, stack: Stack) -> None:
    with stack.gateway(BFF_ID_TOKEN_HINT="off") as gateway:
        page = profile.open(record=True)
        sign_in(page, gateway)
        page.click("button", "Alice Archer")
        page.click("button", "Sign out")
        # Nothing tells the provider which session is meant, so it asks; and then comes back.
        page.click("button", "Log out")
        page.wait_for("Sign in to see yours.")
        ledger = _ledger(page, gateway, stack)
    # Neither an answer nor an address is allowed the token that an ordinary logout has.
    for answer in page.seen.answers:
        if answer.url.startswith(gateway.public_url):
            ledger.text(f"the answer of {urlsplit(answer.url).path}", answer.body.decode())
    for url in page.seen.urls:
        if "/bff/callback" not in url:
            ledger.text("an address", url)
    assert ledger.leaks() == []


def _ledger(page: Page, gateway: GatewayServer, stack: Stack) -> Ledger:
    """All that the page has seen of the gateway, and all that was secret."""
    ledger = Ledger()
    issued = stack.provider.secrets()
    # The code, two access tokens, two ID tokens, two refresh tokens at the least.
    assert len(issued) > 6
    for secret in issued:
        ledger.secret("code or token", secret)
    ledger.secret("client secret", stack.provider.client_secret)
    ledger.secret("secret key", gateway.environment["BFF_SECRET_KEYS"])
    answers = [answer for answer in page.seen.answers if answer.url.startswith(gateway.public_url)]
    for answer in answers:
        ledger.answered(answer.method, answer.url, answer.headers, answer.body)
    seen = {(answer.method, urlsplit(answer.url).path) for answer in answers if answer.body}
    assert {("GET", "/"), ("GET", "/bff/session"), ("GET", "/api/timesheets"), ("POST", "/bff/logout")} <= seen
    for url in page.seen.urls:
        # The code arrives in the callback's address, and is of no use any more when the page is there.
        if url.startswith(gateway.public_url) and urlsplit(url).path != "/bff/callback":
            ledger.text("an address", url)
    ledger.text("the console", "\n".join(page.seen.console))
    return ledger


def test_the_page_itself_says_that_it_found_no_token(profile: Profile, gateway: GatewayServer) -> None:
    page = profile.open()
    sign_in(page, gateway)
    page.eventually(
        "document.querySelectorAll('#what-the-browser-holds .fact.good').length === 5", "five good findings"
    )
    page.wait_without("looking")
    page.evaluate("localStorage.setItem('access_token', 'x')")
    page.click("button", "Look again")
    page.eventually("document.querySelectorAll('#what-the-browser-holds .fact.good').length === 4", "a bad finding")
    page.wait_for("access_token")


def test_the_application_runs_under_its_policy_which_stops_foreign_scripts(
    profile: Profile, gateway: GatewayServer
) -> None:
    page = profile.open()
    sign_in(page, gateway)
    page.wait_for(LIST)
    assert page.seen.complaints == []
    page.evaluate(
        """(() => {
          const script = document.createElement("script");
          script.textContent = "window.injected = true";
          document.body.append(script);
          const picture = document.createElement("div");
          picture.innerHTML = "<img src='data:,' onerror='window.injected = true'>";
          document.body.append(picture);
        })()"""
    )
    # The browser says of each that it was stopped: the script at once, the handler when the picture has failed.
    for directive in ("script-src-elem", "script-src-attr"):
        page.wait_until(
            lambda directive=directive: any(directive in one for one in page.seen.complaints),  # type: ignore[misc]
            f"the refusal by {directive}",
        )
    assert page.evaluate("window.injected") is None
    page.seen.complaints.clear()
