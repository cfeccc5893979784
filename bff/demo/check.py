"""One scripted visit through the gateway: log in, call the API, log out, as a browser would."""

from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx2

MAXIMUM_REDIRECTS = 10
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Accept": "application/json"}
NAVIGATION = {
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Accept": "text/html",
}

Report = Callable[[str], None]


class CheckError(Exception):
    """The visit did not go as it should."""


class Visitor:
    """A browser without a screen: cookies, redirects, forms."""

    def __init__(self, gateway_url: str) -> None:
        self._gateway_url = gateway_url
        self._client = httpx2.Client(trust_env=False, timeout=15.0)

    def close(self) -> None:
        """Forget all cookies and connections."""
        self._client.close()

    def navigate(self, url: str) -> httpx2.Response:
        """Open a page, redirects followed."""
        response = self._client.get(urljoin(self._gateway_url, url), headers=NAVIGATION)
        return self._follow(response)

    def submit(self, page: httpx2.Response, **chosen: str) -> httpx2.Response:
        """Send the page's first form with its hidden fields and `chosen`."""
        form = _FirstForm()
        form.feed(page.text)
        if form.action is None:
            raise CheckError(f"There is no form at {page.url.copy_with(query=None)} (status {page.status_code}).")
        target = urljoin(str(page.url), form.action)
        return self._follow(self._client.post(target, data={**form.hidden, **chosen}, headers=NAVIGATION))

    def call(self, method: str, path: str, body: object = None) -> httpx2.Response:
        """Call the gateway as a script of its page does."""
        url = urljoin(self._gateway_url, path)
        return self._client.request(method, url, headers=SAME_ORIGIN, json=body)

    def _follow(self, response: httpx2.Response) -> httpx2.Response:
        for _ in range(MAXIMUM_REDIRECTS):
            location = response.headers.get("location")
            if not response.is_redirect or location is None:
                return response
            response = self._client.get(urljoin(str(response.url), location), headers=NAVIGATION)
        raise CheckError("Too many redirects.")


def log_in(visitor: Visitor, username: str) -> httpx2.Response:
    """Log in through the provider's pages; the page the visitor lands on."""
    page = visitor.navigate("/bff/login?return_to=/")
    page = visitor.submit(page, username=username)
    if "/authorize" in str(page.url) or "/login" in page.url.path:
        page = visitor.submit(page, allow="1")
    return page


def run_check(gateway_url: str, *, report: Report) -> None:
    """Visit as alice, telling `report` each step; raises `CheckError`."""
    visitor = Visitor(gateway_url)
    try:
        _visit(visitor, report)
    except httpx2.HTTPError as fault:
        raise CheckError(f"The gateway or the provider did not answer: {type(fault).__name__}") from fault
    finally:
        visitor.close()


def _visit(visitor: Visitor, report: Report) -> None:
    _expect(visitor.call("GET", "/api/timesheets"), 401, "an API call before login is refused", report)
    _expect(log_in(visitor, "alice"), 200, "logged in as alice, back on the page", report)
    session = _expect(visitor.call("GET", "/bff/session"), 200, "asked who is logged in", report).json()
    if not session.get("authenticated"):
        raise CheckError("The gateway says that nobody is logged in.")
    report(f"      {session['claims'].get('name')}")
    sheets = _expect(visitor.call("GET", "/api/timesheets"), 200, "read the timesheets", report).json()
    report(f"      {len(sheets['timesheets'])} timesheets")
    wish = {"day": "2026-01-05", "project": "Demonstration", "hours": 1.5}
    added = _expect(visitor.call("POST", "/api/timesheets", wish), 201, "added one", report).json()
    path = f"/api/timesheets/{added['id']}"
    refused = _expect(visitor.call("POST", f"{path}/approve"), 401, "approving needs a confirmed login", report).json()
    if refused.get("code") != "step_up_required":
        raise CheckError(f"The refusal is {refused.get('code')} instead of step_up_required.")
    page = visitor.navigate(refused["login_url"])
    _expect(visitor.submit(page, confirm="1"), 200, "confirmed at the provider, back on the page", report)
    _expect(visitor.call("POST", f"{path}/approve"), 403, "approving one's own is refused", report)
    _expect(visitor.call("DELETE", path), 204, "deleted it", report)
    answer = _expect(visitor.call("POST", "/bff/logout"), 200, "logged out of the gateway", report)
    _expect(visitor.navigate(answer.json()["logout_url"]), 200, "logged out of the provider, back again", report)
    session = _expect(visitor.call("GET", "/bff/session"), 200, "asked who is logged in", report).json()
    if session.get("authenticated"):
        raise CheckError("The gateway says that somebody is still logged in.")
    _expect(visitor.call("GET", "/api/timesheets"), 401, "an API call after logout is refused", report)


def _expect(response: httpx2.Response, status: int, step: str, report: Report) -> httpx2.Response:
    if response.status_code != status:
        shown = response.text[:400]
        raise CheckError(f"failed: {step}: status {response.status_code} instead of {status}\n{shown}")
    report(f"  ok  {step}")
    return response


class _FirstForm(HTMLParser):
    """The first form of a page: where it goes and its hidden fields."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.hidden: dict[str, str] = {}
        self._done = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if self._done:
            return
        if tag == "form":
            self.action = attributes.get("action", "")
        elif tag == "input" and self.action is not None and attributes.get("type") == "hidden":
            self.hidden[attributes["name"]] = attributes.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._done = True
