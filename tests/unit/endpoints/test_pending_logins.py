"""The cookies of logins under way: each counts under its own name, for its own time."""

from __future__ import annotations

import secrets
from typing import Any

from bff.asgi.request import Notes, Request, attach_notes
from bff.endpoints.pending_logins import PendingLogins
from bff.oauth.return_to import parse_return_to
from bff.oauth.transaction import Transaction, encode_transaction, new_transaction
from bff.session.cookies import TRANSACTION_MAX_AGE, SessionCookies
from bff.session.sealing import Sealer, sealing_context
from tests.support.clock import Clock

CLOCK = Clock(1_800_000_000.0)
SEALER = Sealer(
    [b"k" * 32], sealing_context("https://id.example", "spa", "https://app"), random_bytes=secrets.token_bytes
)
COOKIES = SessionCookies("bff", is_secure=True)
PENDING = PendingLogins(sealer=SEALER, cookies=COOKIES, clock=CLOCK)


def login(state: str, *, age: float = 0.0) -> Transaction:
    return new_transaction(
        state=state,
        issuer="https://id.example",
        return_to=parse_return_to("/"),
        now=CLOCK() - age,
        random_bytes=secrets.token_bytes,
    )


def request_with(transaction: Transaction, *, name_of: str) -> Request:
    name = COOKIES.transaction_name(name_of)
    value = SEALER.seal_transaction(encode_transaction(transaction), name=name)
    scope: dict[str, Any] = {
        "method": "GET",
        "raw_path": b"/bff/callback",
        "query_string": b"",
        "headers": [(b"cookie", f"{name}={value}".encode())],
    }
    attach_notes(scope, Notes("id", "client"))
    return Request(scope, lambda: None)  # type: ignore[arg-type, return-value]  # nothing is read


def test_a_login_is_found_by_its_state() -> None:
    transaction = login("one")
    assert PENDING.find(request_with(transaction, name_of="one"), "one") == transaction
    assert PENDING.find(request_with(transaction, name_of="one"), "two") is None


def test_a_name_is_only_a_hash_of_the_state_and_the_state_itself_must_be_the_logins() -> None:
    assert PENDING.find(request_with(login("two"), name_of="one"), "one") is None


def test_a_login_past_its_time_is_none_though_the_browser_kept_its_cookie() -> None:
    assert PENDING.find(request_with(login("one", age=TRANSACTION_MAX_AGE), name_of="one"), "one") is not None
    late = request_with(login("one", age=TRANSACTION_MAX_AGE + 1), name_of="one")
    assert PENDING.find(late, "one") is None
    assert PENDING.states(late) == []
    _, cleared = PENDING.begin(late, login("two"))
    assert cleared == COOKIES.clear_transaction(COOKIES.transaction_name("one"))
