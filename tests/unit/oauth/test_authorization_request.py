import base64
import hashlib
import itertools
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from bff.errors import BadRequest
from bff.oauth.authorization import (
    Parameters,
    Transaction,
    authorization_request,
    authorization_url,
    decode_transaction,
    encode_transaction,
    new_transaction,
    parse_max_age,
)
from bff.oauth.return_to import parse_return_to
from bff.settings.openid import PROTECTED_PARAMETERS
from tests.support.signed_tokens import ISSUER, NOW
from tests.unit.oauth.provider_documents import metadata


def _transaction(**changes: Any) -> Transaction:
    draws = itertools.count(1)
    arguments: dict[str, Any] = {
        "state": "the-state",
        "issuer": ISSUER,
        "return_to": parse_return_to("/page"),
        "now": NOW,
        "random_bytes": lambda size: bytes([next(draws)]) * size,
    }
    return new_transaction(**{**arguments, **changes})


def _request(transaction: Transaction, **changes: Any) -> Parameters:
    arguments: dict[str, Any] = {
        "client_id": "timesheets-app",
        "redirect_uri": "https://app.example/bff/callback",
        "scopes": ("openid", "profile"),
    }
    return authorization_request(transaction, **{**arguments, **changes})


def test_a_transaction_draws_its_own_nonce_and_code_verifier_of_256_bits() -> None:
    drawn: list[int] = []

    def random_bytes(size: int) -> bytes:
        drawn.append(size)
        return bytes([len(drawn)]) * size

    transaction = _transaction(random_bytes=random_bytes)
    assert drawn == [32, 32]
    assert transaction.nonce != transaction.code_verifier
    assert len(transaction.nonce) == len(transaction.code_verifier) == 43
    assert (transaction.state, transaction.issuer, transaction.return_to) == ("the-state", ISSUER, "/page")
    assert transaction.started_at == NOW


def test_a_transaction_survives_its_encoding() -> None:
    transaction = _transaction(max_age=60, acr_values="silver gold", previous_session="store-key")
    assert decode_transaction(encode_transaction(transaction)) == transaction


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x80", msgspec.msgpack.encode({"state": 1})])
def test_what_is_no_transaction_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_transaction(data)


def test_a_transaction_does_not_show_its_secrets_in_logs() -> None:
    transaction = _transaction()
    assert transaction.code_verifier not in repr(transaction)
    assert transaction.nonce not in repr(transaction)


def test_the_request_is_the_code_flow_with_pkce_state_and_nonce() -> None:
    transaction = _transaction()
    digest = hashlib.sha256(transaction.code_verifier.encode()).digest()
    assert _request(transaction) == {
        "response_type": "code",
        "client_id": "timesheets-app",
        "redirect_uri": "https://app.example/bff/callback",
        "scope": "openid profile",
        "state": "the-state",
        "nonce": transaction.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }


def test_the_code_verifier_is_never_sent_with_the_request() -> None:
    transaction = _transaction()
    assert transaction.code_verifier not in str(_request(transaction))


def test_plain_oauth_sends_no_nonce() -> None:
    assert "nonce" not in _request(_transaction(), scopes=("read",))


def test_what_is_asked_for_is_sent() -> None:
    request = _request(
        _transaction(max_age=0, acr_values="gold"),
        audience="https://api.example",
        resources=["https://api.example/v1"],
        extra={"login_hint": "ada@example", "ui_locales": "de en", "prompt": "login"},
    )
    assert request["max_age"] == "0"
    assert request["acr_values"] == "gold"
    assert request["audience"] == "https://api.example"
    assert request["resource"] == "https://api.example/v1"
    assert (request["login_hint"], request["ui_locales"], request["prompt"]) == ("ada@example", "de en", "login")


def test_several_resources_are_sent_one_by_one() -> None:
    resources = ["https://api.example/v1", "urn:reports"]
    request = _request(_transaction(), resources=resources)
    assert request["resource"] == tuple(resources)
    url = authorization_url(metadata(), request)
    assert [value for name, value in parse_qsl(urlsplit(url).query) if name == "resource"] == resources


@pytest.mark.parametrize("name", sorted({*PROTECTED_PARAMETERS, "STATE", "code_challenge_x"}))
def test_a_login_link_cannot_say_what_only_the_gateway_says(name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        _request(_transaction(), extra={name: "x"})
    assert caught.value.reason == "login.parameter"


@pytest.mark.parametrize("value", ["", "a\nb", "a\x00", "\x7f", "\x85", "x" * 1025])
def test_a_passed_on_value_must_be_plain_text(value: str) -> None:
    with pytest.raises(BadRequest):
        _request(_transaction(), extra={"login_hint": value})


def test_a_passed_on_value_cannot_add_parameters() -> None:
    url = authorization_url(metadata(), _request(_transaction(), extra={"login_hint": "a&scope=admin#x?y=ü z"}))
    parameters = parse_qsl(urlsplit(url).query, strict_parsing=True)
    assert [name for name, _ in parameters].count("scope") == 1
    assert dict(parameters)["login_hint"] == "a&scope=admin#x?y=ü z"
    assert urlsplit(url).fragment == ""


@pytest.mark.parametrize("name, value", [("max_age", "60"), ("acr_values", "gold")])
def test_what_is_checked_afterwards_is_asked_for_only_through_the_transaction(name: str, value: str) -> None:
    with pytest.raises(BadRequest):
        _request(_transaction(), extra={name: value})
    request = _request(_transaction(max_age=30, acr_values="silver"), extra={"max_age": "60", "acr_values": "gold"})
    assert (request["max_age"], request["acr_values"]) == ("30", "silver")


@pytest.mark.parametrize("value, seconds", [("0", 0), ("60", 60), ("007", 7), ("999999999", 999_999_999)])
def test_a_maximum_age_is_a_number_of_seconds(value: str, seconds: int) -> None:
    assert parse_max_age(value) == seconds


@pytest.mark.parametrize("value", ["", " 1", "1 ", "-1", "+1", "1.5", "1e3", "abc", "٣", "1_0", "1000000000"])
def test_a_maximum_age_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_max_age(value)
    assert caught.value.reason == "login.max_age"


def test_the_query_of_the_endpoint_is_kept() -> None:
    plain = authorization_url(metadata(), {"a": "1 2", "b": "/"})
    assert plain == f"{ISSUER}/authorize?a=1%202&b=%2F"
    with_query = authorization_url(metadata(authorization_endpoint=f"{ISSUER}/authorize?tenant=1"), {"a": "1"})
    assert with_query == f"{ISSUER}/authorize?tenant=1&a=1"
