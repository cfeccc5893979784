import json
from typing import Any

import pytest

from bff.errors import GatewayError, InvalidProviderAnswer, LoginFailed, ProviderUnavailable
from bff.oauth.userinfo import MAX_SIZE, merge_claims, parse_userinfo


def _parse(
    body: bytes, status: int = 200, content_type: str | None = "application/json", subject: str | None = "user-1"
) -> dict[str, Any]:
    return parse_userinfo(status, content_type, body, subject=subject)


def _refusal(expected: type[GatewayError], *arguments: Any) -> str:
    with pytest.raises(expected) as caught:
        _parse(*arguments)
    return caught.value.reason


def test_claims_about_the_same_user_are_returned() -> None:
    claims = {"sub": "user-1", "name": "Ada", "address": {"country": "UK"}}
    assert _parse(json.dumps(claims).encode()) == claims
    assert _parse(json.dumps(claims).encode(), 200, "application/json;charset=UTF-8") == claims


@pytest.mark.parametrize("sub", [..., None, "", "user-2", "USER-1", "user-1 ", ["user-1"], 1])
def test_claims_about_anybody_else_are_refused(sub: object) -> None:
    claims = {"name": "Ada"} if sub is ... else {"sub": sub}
    assert _refusal(LoginFailed, json.dumps(claims).encode()) == "userinfo.subject"


def test_without_an_id_token_there_is_no_subject_to_compare() -> None:
    assert _parse(b'{"name": "Ada"}', 200, None, None) == {"name": "Ada"}


@pytest.mark.parametrize("content_type", ["application/jwt", "APPLICATION/JWT; charset=utf-8"])
def test_a_signed_answer_is_refused_for_now(content_type: str) -> None:
    assert _refusal(InvalidProviderAnswer, b"a.b.c", 200, content_type) == "userinfo.signed"


@pytest.mark.parametrize("content_type", ["text/html", "", "application/x-jwt"])
def test_another_media_type_is_refused(content_type: str) -> None:
    assert _refusal(InvalidProviderAnswer, b'{"sub": "user-1"}', 200, content_type) == "userinfo.content_type"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"<html>", b'{"sub": "user-1", "sub": "user-1"}', b'{"sub": "user-1"}' + b" " * MAX_SIZE]
)
def test_what_is_not_one_json_object_is_refused(body: bytes) -> None:
    assert _refusal(InvalidProviderAnswer, body) == "userinfo.malformed"


@pytest.mark.parametrize("status", [201, 204, 302, 400, 401, 403, 404])
def test_only_200_is_success_whatever_the_body_is(status: int) -> None:
    assert _refusal(InvalidProviderAnswer, b"", status, "text/plain") == "userinfo.status"
    assert _refusal(InvalidProviderAnswer, b'{"sub": "user-1"}', status, "text/html") == "userinfo.status"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_provider_in_trouble_is_unavailable(status: int) -> None:
    with pytest.raises(ProviderUnavailable) as caught:
        parse_userinfo(status, "text/html", b"<html>", subject="user-1", retry_after="9")
    assert (caught.value.reason, caught.value.retry_after) == ("userinfo.unavailable", 9)


def test_the_id_tokens_claims_win_and_the_protocols_own_are_dropped() -> None:
    id_token = {
        "iss": "i", "aud": "a", "azp": "a", "exp": 1, "iat": 1, "nbf": 1, "jti": "j", "nonce": "n", "at_hash": "h",
        "c_hash": "h", "s_hash": "h", "sid": "s", "sub": "user-1", "name": "Ada", "acr": "silver", "auth_time": 1,
    }  # fmt: skip
    userinfo = {"sub": "user-1", "name": "Mallory", "email": "ada@example", "iss": "other", "exp": 2}
    assert merge_claims(id_token, userinfo) == {
        "sub": "user-1",
        "name": "Ada",
        "email": "ada@example",
        "acr": "silver",
        "auth_time": 1,
    }
