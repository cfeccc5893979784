"""Errors as problem details and as pages."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest

from bff.errors import BadRequest, MethodNotAllowed, NoSession, ProviderUnavailable, StoreUnavailable
from bff.http.problem import is_navigation, problem_body, problem_headers
from bff.http.problem_page import page, problem_page


def test_a_problem_says_what_happened_and_nothing_else() -> None:
    assert json.loads(problem_body(BadRequest("secret.reason"), request_id="id-1")) == {
        "type": "about:blank",
        "title": "The request is malformed.",
        "status": 400,
        "code": "bad_request",
        "request_id": "id-1",
    }


def test_where_a_login_helps_its_address_is_given() -> None:
    assert json.loads(problem_body(NoSession("x"), request_id="i", login_url="/bff/login"))["login_url"] == "/bff/login"


def test_a_problem_is_never_stored_and_says_when_to_come_back() -> None:
    assert problem_headers(BadRequest("x")) == [("Cache-Control", "no-store")]
    assert problem_headers(StoreUnavailable("x"))[1:] == [("Retry-After", "2")]
    assert problem_headers(ProviderUnavailable("x", 1.2))[1:] == [("Retry-After", "2")]
    assert problem_headers(MethodNotAllowed(["GET", "POST"]))[1:] == [("Allow", "GET, POST")]


@pytest.mark.parametrize(
    "method, mode, accept, expected",
    [
        (b"GET", b"navigate", None, True),
        (b"POST", b"navigate", b"application/json", True),
        (b"GET", b"cors", b"text/html", False),
        (b"GET", b"no-cors", b"text/html", False),
        (b"GET", None, b"text/html,application/xhtml+xml", True),
        (b"GET", None, b"TEXT/HTML", True),
        (b"HEAD", None, b"text/html", True),
        (b"POST", None, b"text/html", True),
        (b"DELETE", None, b"text/html", False),
        (b"GET", None, b"*/*", False),
        (b"GET", None, None, False),
    ],
)
def test_a_page_is_for_navigations(method: bytes, mode: bytes | None, accept: bytes | None, expected: bool) -> None:
    assert is_navigation(method=method, sec_fetch_mode=mode, accept=accept) is expected


def test_the_page_loads_nothing_and_its_policy_permits_its_own_style_alone() -> None:
    made = problem_page(NoSession("x"), request_id="id-1", login_url="/bff/login?a=b&c=d")
    text, headers = made.body.decode(), dict(made.headers)
    style = re.search("<style>(.*)</style>", text)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in headers["Content-Security-Policy"]
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert not re.search(r"<script|<img|<link|src=", text)
    assert '<a href="/bff/login?a=b&amp;c=d">Sign in</a><a href="/">Go to the start page</a>' in text
    assert "no_session, reference id-1" in text


def test_a_page_escapes_all_it_is_given() -> None:
    evil = "\"><script>alert('1')</script>"
    made = page(title=evil, lines=(evil,), links=[(evil, evil)], footnote=evil, continue_to=evil)
    assert b"<script" not in made.body
    assert made.body.count(b"&quot;&gt;&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;") == 7


def test_a_page_may_go_on_by_itself_and_needs_no_footnote() -> None:
    made = page(title="t", lines=(), links=[], continue_to="/path?a=b")
    assert b'<meta http-equiv="refresh" content="0; url=/path?a=b">' in made.body
    assert b"<small>" not in made.body
    assert b"refresh" not in page(title="t", lines=(), links=[]).body
