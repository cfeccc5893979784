"""What the page says before it knows anything, and about what the API and the gateway refuse."""

from __future__ import annotations

from bff.demo.provider.authentication import CONFIRMED
from tests.browser.stack import LIST, Stack, finish_login, sign_in
from tests.support.browser_page import Page
from tests.support.chromium import Profile
from tests.support.processes import GatewayServer, start_timesheets

# The statements of a card, each with how it looks: good, quiet, or neither.
FACTS = """
Object.fromEntries([...document.querySelectorAll(%r)].map((one) =>
  [one.querySelector("span").innerText, `${one.className} ${one.lastElementChild.textContent}`]))
"""
PERMISSIONS = FACTS % "[aria-labelledby=permissions-title] .fact"
HOLDINGS = FACTS % "#what-the-browser-holds .fact"


def test_nothing_is_said_of_permissions_or_answers_before_there_are_any(
    profile: Profile, gateway: GatewayServer
) -> None:
    page = profile.open()
    sign_in(page, gateway, "Bob Baker")
    page.hold("*/api/*")
    page.reload()
    page.wait_for("localStorage")
    page.wait_for("Loading")
    assert set(page.evaluate(PERMISSIONS).values()) == {"fact quiet not known"}
    assert page.evaluate(HOLDINGS)["Tokens in answers"] == "fact quiet looking …"
    assert page.evaluate(HOLDINGS)["localStorage"] == "fact good none"
    page.release()
    page.eventually(f"({HOLDINGS})['Tokens in answers'] === 'fact good none'", "the answers")
    page.eventually("document.querySelector('[aria-busy=false]') !== null", "the list")
    assert page.evaluate(PERMISSIONS) == {
        "Read timesheets": "fact good allowed",
        "Add hours": "fact good allowed",
        "Delete what is not approved": "fact quiet not allowed",
        "Approve the hours of others": "fact quiet not allowed",
    }


def test_without_an_answer_of_the_api_the_page_claims_nothing_and_offers_another_attempt(
    profile: Profile, gateway: GatewayServer
) -> None:
    page = profile.open()
    sign_in(page, gateway)
    page.answer("*/api/*", 502, {"code": "upstream_unavailable", "title": "The API cannot be reached."})
    page.reload()
    page.wait_for("The API cannot be reached.")
    page.wait_for("Your session is not affected.")
    assert set(page.evaluate(PERMISSIONS).values()) == {"fact quiet not known"}
    page.release()
    page.click("button", "Try again")
    page.eventually(f"Object.values({PERMISSIONS}).every((one) => one === 'fact good allowed')", "the permissions")
    page.wait_without("The API cannot be reached.")
    _forget(page, "502")


def test_a_call_that_asks_for_more_leads_to_a_login_that_gives_it_and_back(profile: Profile, stack: Stack) -> None:
    with (
        start_timesheets(stack.provider, arguments=["--approve-acr", CONFIRMED]) as api,
        stack.gateway(BFF_UPSTREAM_URL=api.url) as gateway,
    ):
        page = profile.open()
        sign_in(page, gateway, place="/?show=submitted")
        page.click("button[aria-label^=Approve]")
        page.wait_for("step_up_required")
        page.wait_for("Confirm that it is you, then try again.")
        assert "Alice Archer" in page.text(), "she is still signed in"
        page.click("a", "Confirm that it is you")
        page.wait_for("Timesheets wants to be sure that it is Alice Archer who is here.")
        page.click("button", "It is me")
        page.wait_for(LIST)
        assert page.address() == f"{gateway.public_url}/?show=submitted"
        page.click("button[aria-label^=Approve]")
        page.wait_for(" h for ")
        _forget(page, "401")


def test_a_refusal_for_want_of_a_scope_says_so_and_offers_another_account(
    profile: Profile, gateway: GatewayServer
) -> None:
    page = profile.open()
    sign_in(page, gateway, "Bob Baker")
    page.click(".switch", "Offer everything")
    page.click("button[aria-label^=Delete]")
    page.click("dialog button", "Delete")
    page.wait_for("insufficient_scope")
    assert "delete:timesheets" in page.text()
    assert "Bob Baker" in page.text(), "he is still signed in"
    page.click("a", "Sign in as somebody else")
    finish_login(page)
    page.wait_for("Alice Archer")
    assert "Bob Baker" not in page.evaluate("document.querySelector('header').innerText")
    _forget(page, "403")


def _forget(page: Page, status: str) -> None:
    """The browser itself notes each refused call, and there is nothing else."""
    assert [one for one in page.seen.complaints if f"status of {status}" not in one] == []
    page.seen.complaints.clear()
