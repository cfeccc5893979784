"""A hostile page in a browser whose user is signed in: each attempt reaches the gateway, and none has an effect.

It is on another site (127.0.0.1, where the application is localhost), which the `SameSite=Strict` cookie does not go
along from; or on a sibling port, which is another origin of the same site, and there the cookie comes along.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.browser.stack import LIST, Stack, finish_login, sign_in
from tests.support.access_lines import AccessLines
from tests.support.browser_page import Page
from tests.support.chromium import Chromium, Profile
from tests.support.hostile_site import HostileSite
from tests.support.processes import GatewayServer

HOSTS = {"another site": "127.0.0.1", "a sibling port": "localhost"}
TIMESHEETS = "fetch('/api/timesheets').then((answer) => answer.json())"
SESSION = "fetch('/bff/session').then((answer) => answer.json())"

NOBODY = (401, "no_session")
FOREIGN = (403, "csrf_rejected")
ANSWERED_AS_NOBODY = (200, None)


@dataclass
class Scene:
    """A signed-in user who has been lured to the hostile page, in a second tab."""

    profile: Profile
    application: Page
    hostile: Page
    site: HostileSite
    origin: str
    access: AccessLines
    target: str

    @property
    def sends_cookie(self) -> bool:
        """Whether the browser sends the session cookie with what the hostile page asks for."""
        return "localhost" in self.origin

    def lure(self, body: str = "") -> None:
        """Show the user a hostile page."""
        self.site.write("/", body)
        self.access.forget()
        self.hostile.go(f"{self.origin}/")

    def run(self, script: str) -> Any:
        """Run a hostile script, which knows the application's origin as `target`; return what it got to know."""
        return self.hostile.evaluate(f"(async (target) => {{ {script} }})({json.dumps(self.target)})")

    def outcome(self, method: str, path: str) -> tuple[int, str | None]:
        """Return how the gateway has answered the attempt."""
        line = self.access.wait_for(method, path)
        return line.status, line.code


@pytest.fixture(scope="module", params=HOSTS)
def signed_in(request: pytest.FixtureRequest, chromium: Chromium, gateway: GatewayServer) -> Iterator[Scene]:
    with HostileSite().running() as site, chromium.profile() as profile:
        application = profile.open()
        sign_in(application, gateway)
        origin = f"http://{HOSTS[request.param]}:{site.port}"
        yield Scene(profile, application, profile.open(), site, origin, AccessLines(gateway), gateway.public_url)


@pytest.fixture
def scene(signed_in: Scene) -> Iterator[Scene]:
    """The scene; afterwards the user is as signed in as before, and the timesheets are as they were."""
    cookies = [cookie for cookie in signed_in.profile.cookies() if cookie["name"].startswith("bff")]
    timesheets = signed_in.application.evaluate(TIMESHEETS)
    assert timesheets["timesheets"]
    yield signed_in
    assert signed_in.application.evaluate(SESSION)["claims"]["name"] == "Alice Archer"
    assert signed_in.application.evaluate(TIMESHEETS) == timesheets
    assert [cookie for cookie in signed_in.profile.cookies() if cookie["name"].startswith("bff")] == cookies


def test_a_form_that_would_add_a_timesheet_is_refused(scene: Scene) -> None:
    start = '{"day": "2026-01-05", "project": "Theft", "hours": 8, "note": "'
    scene.lure(
        f"""<form method="post" enctype="text/plain" action="{scene.target}/api/timesheets">
        <input type="hidden" name='{start}' value='"}}'><button>Claim your prize</button></form>"""
    )
    scene.hostile.click("button", "Claim")
    assert scene.outcome("POST", "/api/timesheets") == (FOREIGN if scene.sends_cookie else NOBODY)


@pytest.mark.parametrize(
    "means, path",
    [
        ("form", "/bff/logout"),
        ("form", "/bff/session"),
        ("form", "/api/timesheets/1/approve"),
        ("fetch", "/bff/logout"),
        ("fetch", "/bff/session"),
        ("fetch", "/bff/session/refresh"),
        ("fetch", "/api/timesheets/1/approve"),
        ("beacon", "/bff/logout"),
    ],
)
def test_a_post_without_preflight_is_refused(scene: Scene, means: str, path: str) -> None:
    scene.lure(f'<form method="post" action="{scene.target}{path}"></form>')
    if means == "form":
        scene.run("document.forms[0].submit()")
    elif means == "fetch":
        scene.run(f"await fetch(target + '{path}', {{method: 'POST', credentials: 'include', mode: 'no-cors'}})")
    else:
        scene.run(f"navigator.sendBeacon(target + '{path}', new Blob(['{{}}'], {{type: 'text/plain'}}))")
    # Logging out is refused to everybody else; the others have nobody to act for without the cookie.
    own = {"/bff/logout": FOREIGN, "/bff/session": ANSWERED_AS_NOBODY, "/bff/session/refresh": ANSWERED_AS_NOBODY}
    without_cookie = own.get(path, NOBODY)
    assert scene.outcome("POST", path) == (FOREIGN if scene.sends_cookie else without_cookie)


def test_a_link_into_the_api_shows_nothing(scene: Scene) -> None:
    scene.lure(f'<a href="{scene.target}/api/timesheets/link">Your prize</a>')
    scene.hostile.click("a", "Your prize")
    assert scene.outcome("GET", "/api/timesheets/link") == (FOREIGN if scene.sends_cookie else NOBODY)


@pytest.mark.parametrize("path", ["/api/timesheets", "/bff/session"])
@pytest.mark.parametrize("mode", ["cors", "no-cors"])
def test_a_fetch_with_credentials_learns_nothing(scene: Scene, mode: str, path: str) -> None:
    scene.lure()
    learned = scene.run(
        f"""const options = {{credentials: "include", mode: "{mode}"}};
        try {{
          const answer = await fetch(target + "{path}", options);
          return [answer.type, answer.status, await answer.text(), [...answer.headers].length];
        }} catch (fault) {{ return fault.name; }}"""
    )
    assert learned == ("TypeError" if mode == "cors" else ["opaque", 0, "", 0])
    without_cookie = ANSWERED_AS_NOBODY if path == "/bff/session" else NOBODY
    assert scene.outcome("GET", path) == (FOREIGN if scene.sends_cookie else without_cookie)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_fetch_that_needs_a_preflight_does_not_get_past_it(scene: Scene, method: str) -> None:
    scene.lure()
    learned = scene.run(
        f"""const headers = {{"X-CSRF": "1", "Content-Type": "application/json"}};
        const options = {{method: "{method}", credentials: "include", headers, body: "{{}}"}};
        return fetch(target + "/api/timesheets/1", options).then(() => "answered", (fault) => fault.name);"""
    )
    assert learned == "TypeError"
    # A preflight has no cookie, wherever it comes from.
    assert scene.outcome("OPTIONS", "/api/timesheets/1") == NOBODY
    assert [line for line in scene.access.all() if line.method == method] == []


def test_elements_that_load_from_the_api_load_nothing(scene: Scene) -> None:
    elements = {"img": "src", "script": "src", "link rel='stylesheet'": "href", "video": "src", "embed": "src"}
    elements["object type='text/html'"] = "data"
    paths = {element: f"/api/timesheets/{element.split()[0]}" for element in elements}
    body = "<script>failed = []</script>"
    for element, attribute in elements.items():
        address = f"{scene.target}{paths[element]}"
        body += f'<{element} {attribute}="{address}" onerror="failed.push(this.localName)"></{element.split()[0]}>'
    scene.lure(body)
    for path in paths.values():
        assert scene.outcome("GET", path) == (FOREIGN if scene.sends_cookie else NOBODY)
    scene.hostile.eventually("['img', 'link', 'script', 'video'].every((name) => failed.includes(name))", "the errors")


def test_frames_show_nothing_of_the_application(scene: Scene) -> None:
    complaints = scene.hostile.seen.complaints
    refusal = "violates the following Content Security Policy directive: \"frame-ancestors 'none'\""
    for path in ("/", "/bff/login", "/bff/session", "/bff/login/resume"):
        complaints.clear()
        scene.lure(f'<iframe src="{scene.target}{path}"></iframe>')
        scene.access.wait_for("GET", path)
        scene.hostile.wait_until(lambda: any(refusal in one for one in complaints), f"the refusal of {path}")
    scene.lure(f'<iframe src="{scene.target}/bff/login"></iframe>')
    # A login must not even begin where nobody sees it.
    assert scene.outcome("GET", "/bff/login") == (400, "bad_request")


def test_a_websocket_is_not_opened(scene: Scene) -> None:
    scene.lure()
    opened = scene.run(
        """const socket = new WebSocket(target.replace("http", "ws") + "/api/live");
        return new Promise((resolve) => { socket.onopen = socket.onclose = (event) => resolve(event.type); });"""
    )
    assert opened == "close"
    assert scene.outcome("GET", "/api/live") == (FOREIGN if scene.sends_cookie else NOBODY)


def test_a_window_of_the_application_is_out_of_reach(scene: Scene) -> None:
    scene.lure(f"<button onclick='opened = window.open(\"{scene.target}/opened\")'>Open</button>")
    scene.hostile.click("button", "Open")
    assert scene.outcome("GET", "/opened") == (200, None)
    scene.hostile.eventually("opened.closed", "the end of the connection between the windows")


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
@pytest.mark.parametrize(
    "method, parameter", [("get", "return_to"), ("get", "target_link_uri"), ("post", "target_link_uri")]
)
def test_a_login_that_a_hostile_page_begins_ends_at_the_application(
    profile: Profile, gateway: GatewayServer, stack: Stack, host: str, method: str, parameter: str
) -> None:
    access = AccessLines(gateway)
    access.forget()
    with HostileSite().running() as site:
        here = f"http://{host}:{site.port}/"
        site.write(
            "/",
            f"""<form method="{method}" action="{gateway.public_url}/bff/login">
            <input type="hidden" name="iss" value="{stack.provider.issuer}">
            <input type="hidden" name="{parameter}" value="{here}"><button>Claim your prize</button></form>""",
        )
        page = profile.open(here)
        page.click("button", "Claim")
        page.wait_for("to go on to")
        assert access.wait_for(method.upper(), "/bff/login").status in (302, 303)
        finish_login(page)
        assert page.address() == f"{gateway.public_url}/"
        assert page.evaluate(SESSION)["claims"]["name"] == "Alice Archer"


def test_a_login_that_somebody_else_began_does_not_become_the_users(
    scene: Scene, other_profile: Profile, gateway: GatewayServer
) -> None:
    callback = _callback_of_another_login(other_profile, gateway)
    scene.lure(f'<a href="{callback}">Your prize</a>')
    scene.hostile.click("a", "Your prize")
    # Two ways to the same end: with the cookie the gateway sees at once that somebody is signed in.
    assert scene.outcome("GET", "/bff/callback") == ((303 if scene.sends_cookie else 400, "login_failed"))
    scene.hostile.wait_for(LIST)
    scene.hostile.wait_for("Alice Archer")
    assert scene.hostile.evaluate(SESSION)["claims"]["name"] == "Alice Archer"


def test_a_login_that_somebody_else_began_does_not_sign_anybody_in(
    profile: Profile, other_profile: Profile, gateway: GatewayServer
) -> None:
    callback = _callback_of_another_login(other_profile, gateway)
    page = profile.open(callback)
    page.wait_for("Sign in")
    assert profile.open(gateway.public_url).evaluate(SESSION)["authenticated"] is False
    assert profile.cookie("bff") is None
    page.seen.complaints = [one for one in page.seen.complaints if "status of 400" not in one]


def _callback_of_another_login(attacker: Profile, gateway: GatewayServer) -> str:
    """Return the address, with a good code, that ends a login of the attacker's own; it was not used."""
    page = attacker.open(gateway.public_url)
    page.click("a", "Sign in")
    page.hold("*/bff/callback?*")
    page.click("button", "Bob Baker")
    page.click("button", "Allow")
    page.wait_until(lambda: any("/bff/callback?" in url for url in page.seen.urls), "the callback")
    return next(url for url in page.seen.urls if "/bff/callback?" in url)
