"""The ledger that integration tests rely on to find leaked secrets."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from tests.support.leaks import Ledger

TOKEN = "Zk3pX9-aQ7_vB2mN5tR8yW1cE4uH6jL0sD"
HANDLE = base64.urlsafe_b64encode(bytes(range(32))).rstrip(b"=").decode()
LOGIN, CALLBACK = "http://app.example/bff/login", "http://app.example/bff/callback"


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.secret("token", TOKEN)
    return ledger


@pytest.mark.parametrize(
    "spelling",
    [
        TOKEN,
        TOKEN[:24],
        TOKEN[5:29],
        TOKEN[-24:],
        f"Bearer {TOKEN}",
        TOKEN.encode().hex(),
        base64.b64encode(f"client:{TOKEN}".encode()).decode(),
        base64.b64encode(f"client-x:{TOKEN}".encode()).decode(),
        base64.b64encode(f"client-xy:{TOKEN}".encode()).decode(),
    ],
)
def test_a_secret_in_a_log_is_found_however_it_is_spelled(ledger: Ledger, spelling: str) -> None:
    ledger.text("a log", json.dumps({"event": "x", "value": spelling}))
    assert ledger.leaks() == ["token in a log"]


def test_a_log_without_secrets_is_clean(ledger: Ledger) -> None:
    ledger.text(
        "a log", json.dumps({"event": "request", "request_id": "9f5a0c1d2e3b4a5968770001", "path": "/bff/login"})
    )
    assert ledger.leaks() == []


def test_a_secret_with_reserved_characters_is_found_in_a_query() -> None:
    ledger = Ledger()
    ledger.secret("client secret", "p+q/r=s!t u&v p+q/r=s!t u&v abcdefghijklmnopqrstuvwxyz")
    ledger.text("a log", f"/x?s={quote('p+q/r=s!t u&v p+q/r=s!t u&v abcdefghijklmnopqrstuvwxyz', safe='')}")
    assert ledger.leaks() == ["client secret in a log"]


def test_a_secret_in_a_body_or_a_header_field_is_found(ledger: Ledger) -> None:
    ledger.answered("GET", "http://app.example/bff/session", [("X-Debug", TOKEN)], b"{}")
    ledger.answered("GET", "http://app.example/api/x", [], f"<p>{TOKEN}</p>".encode())
    assert ledger.leaks() == ["token in GET /api/x", "token in GET /bff/session"]


def test_a_cookie_that_was_set_is_a_secret_everywhere_else(ledger: Ledger) -> None:
    ledger.answered("GET", f"{CALLBACK}?code=x", [("Set-Cookie", f"bff={HANDLE}; Path=/; HttpOnly")], b"")
    assert ledger.leaks() == []
    ledger.text("a log", f"session {HANDLE}")
    ledger.text("a dump", bytes(range(32)).hex())
    assert ledger.leaks() == ["cookie bff in a dump", "cookie bff in a log"]


def test_a_session_cookie_is_set_by_the_callback_alone(ledger: Ledger) -> None:
    ledger.answered("GET", "http://app.example/bff/session", [("Set-Cookie", f"bff={HANDLE}; Path=/")], b"")
    assert ledger.leaks() == ["cookie bff in GET /bff/session"]


def test_a_secret_in_the_attributes_of_a_cookie_is_found(ledger: Ledger) -> None:
    ledger.answered("GET", CALLBACK, [("Set-Cookie", f"bff={HANDLE}; Path=/{TOKEN}")], b"")
    assert ledger.leaks() == ["token in GET /bff/callback"]


def test_a_state_may_be_in_the_authorization_url_and_nowhere_else(ledger: Ledger) -> None:
    ledger.secret("state", "state-state-state-state-state-1")
    ledger.answered("GET", LOGIN, [("Location", "https://op.example/a?state=state-state-state-state-state-1")], b"")
    assert ledger.leaks() == []
    ledger.answered("GET", LOGIN, [("Location", "https://op.example/a?x=state-state-state-state-state-1")], b"")
    ledger.answered("GET", CALLBACK, [("Location", "/here?state=state-state-state-state-state-1")], b"")
    assert ledger.leaks() == ["state in GET /bff/callback", "state in GET /bff/login"]


def test_an_id_token_may_be_the_hint_of_a_logout_and_nothing_else(ledger: Ledger) -> None:
    url = f"https://op.example/logout?id_token_hint={TOKEN}&state=x"
    where = "http://app.example/bff/logout"
    ledger.answered("POST", where, [], json.dumps({"logout_url": url}).encode())
    ledger.answered("POST", where, [("Location", url)], b"")
    assert ledger.leaks() == []
    ledger.answered("POST", where, [], json.dumps({"logout_url": url, "id_token": TOKEN}).encode())
    assert ledger.leaks() == ["token in POST /bff/logout"]
