import json
from typing import Any

import pytest

from bff.errors import (
    ClientRefused,
    GatewayError,
    GrantRefused,
    InvalidProviderAnswer,
    LoginFailed,
    ProviderUnavailable,
)
from bff.oauth.token_response import MAX_LIFETIME, MAX_SIZE, Grant, TokenResponse, parse_token_response

GRANTS: tuple[Grant, ...] = ("authorization_code", "refresh_token")


def _answer(**changes: Any) -> bytes:
    members = {"access_token": "at-1", "token_type": "Bearer", **changes}
    return json.dumps({name: value for name, value in members.items() if value is not ...}).encode()


def _parse(body: bytes, status: int = 200, grant: Grant = "refresh_token", **arguments: Any) -> TokenResponse:
    return parse_token_response(status, body, grant=grant, **{"content_type": "application/json", **arguments})


def _refusal(expected: type[GatewayError], *arguments: Any, **named: Any) -> str:
    with pytest.raises(expected) as caught:
        _parse(*arguments, **named)
    assert type(caught.value) is expected
    return caught.value.reason


@pytest.mark.parametrize("grant", GRANTS)
def test_the_tokens_are_read_by_name(grant: Grant) -> None:
    body = _answer(refresh_token="rt 1", id_token="a.b.c", expires_in=3600, scope="openid read:x", iat=1, unknown={})
    assert _parse(body, grant=grant) == TokenResponse(
        access_token="at-1",
        token_type="Bearer",
        expires_in=3600.0,
        refresh_token="rt 1",
        id_token="a.b.c",
        scope=("openid", "read:x"),
    )


@pytest.mark.parametrize("nothing", [..., None])
def test_what_the_provider_does_not_say_is_none(nothing: object) -> None:
    optional = dict.fromkeys(("refresh_token", "id_token", "expires_in", "scope"), nothing)
    assert _parse(_answer(**optional)) == TokenResponse(
        access_token="at-1", token_type="Bearer", expires_in=None, refresh_token=None, id_token=None, scope=None
    )


def test_tokens_do_not_show_in_logs() -> None:
    assert "at-1" not in repr(_parse(_answer()))


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "BEARER", "bEARER"])
def test_the_token_type_is_bearer_in_any_case(token_type: str) -> None:
    assert _parse(_answer(token_type=token_type)).access_token == "at-1"


@pytest.mark.parametrize("token_type", [..., None, "", "DPoP", "mac", "N_A", "Bearer ", 1, ["Bearer"]])
def test_any_other_token_type_is_refused(token_type: object) -> None:
    assert _refusal(InvalidProviderAnswer, _answer(token_type=token_type)) == "token.token_type"


@pytest.mark.parametrize(
    "access_token",
    [
        ...,
        None,
        "",
        " ",
        "a b",
        "a\nb",
        "a\r\nX: y",
        "a\tb",
        "a\x00",
        "a\x7f",
        "é",
        "a\u2028",
        1,
        ["a"],
        {},
        True,
        "a" * 16_385,
    ],
    ids=lambda value: ascii(value)[:12],
)
def test_an_access_token_that_would_not_fit_in_a_header_is_refused(access_token: object) -> None:
    assert _refusal(InvalidProviderAnswer, _answer(access_token=access_token)) == "token.access_token"


@pytest.mark.parametrize("access_token", ["a", "a.b-c_d~e+f/g==", '!"#$%&', "a" * 16_384], ids=lambda value: value[:12])
def test_any_visible_text_is_an_access_token(access_token: str) -> None:
    assert _parse(_answer(access_token=access_token)).access_token == access_token


@pytest.mark.parametrize(
    "value", ["", "a\nb", "\x00", "é", 1, ["a"], "a" * 300_000], ids=lambda value: ascii(value)[:12]
)
@pytest.mark.parametrize("name", ["refresh_token", "id_token"])
def test_the_other_tokens_are_text(name: str, value: object) -> None:
    if isinstance(value, str) and len(value) > MAX_SIZE:
        assert _refusal(InvalidProviderAnswer, _answer(**{name: value})) == "token.malformed"
    else:
        assert _refusal(InvalidProviderAnswer, _answer(**{name: value})) == f"token.{name}"


def test_a_refresh_token_has_a_size_limit() -> None:
    assert _parse(_answer(refresh_token="r" * 16_384)).refresh_token == "r" * 16_384
    assert _refusal(InvalidProviderAnswer, _answer(refresh_token="r" * 16_385)) == "token.refresh_token"


@pytest.mark.parametrize(
    "value, seconds",
    [
        (0, 0),
        (1, 1),
        (300, 300),
        (299.5, 299.5),
        ("300", 300),
        ("299.5", 299.5),
        (10**12, MAX_LIFETIME),
        (1e300, MAX_LIFETIME),
        ("999999999999999", MAX_LIFETIME),
    ],
)
def test_the_lifetime_is_a_bounded_number_of_seconds(value: object, seconds: float) -> None:
    assert _parse(_answer(expires_in=value)).expires_in == seconds


@pytest.mark.parametrize(
    "value", [-1, -0.5, -1e300, True, False, "", "soon", "-1", "+1", "1e3", " 1", "٣", "9" * 16, [1], {}]
)
def test_a_lifetime_that_is_no_number_of_seconds_is_refused(value: object) -> None:
    assert _refusal(InvalidProviderAnswer, _answer(expires_in=value)) == "token.expires_in"


@pytest.mark.parametrize(
    "value, scope", [("", ()), ("read", ("read",)), ("a  b ", ("a", "b")), ("https://x/y:z", ("https://x/y:z",))]
)
def test_the_granted_scope_is_split_at_spaces(value: str, scope: tuple[str, ...]) -> None:
    assert _parse(_answer(scope=value)).scope == scope


@pytest.mark.parametrize("value", ["a\nb", 'a"b', "a\\b", "é", "a\tb", ["a"], 1, {}, True])
def test_a_malformed_scope_is_refused(value: object) -> None:
    assert _refusal(InvalidProviderAnswer, _answer(scope=value)) == "token.scope"


@pytest.mark.parametrize(
    "content_type",
    [None, "application/json", "application/json; charset=utf-8", "Application/JSON ;x", "application/a.b+json"],
)
def test_the_answer_is_json_or_untyped(content_type: str | None) -> None:
    assert _parse(_answer(), content_type=content_type).access_token == "at-1"


@pytest.mark.parametrize(
    "content_type",
    ["", "text/html", "text/plain", "application/jwt", "application/jsonp", "application/x-www-form-urlencoded"],
)
def test_tokens_of_another_media_type_are_refused(content_type: str) -> None:
    assert _refusal(InvalidProviderAnswer, _answer(), content_type=content_type) == "token.content_type"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}garbage",
        b"<html>",
        b"null",
        b"[]",
        b'"x"',
        b"access_token=at-1&token_type=bearer",
        b"\xff",
        b'{"access_token": "a", "access_token": "b", "token_type": "Bearer"}',
        b"{" + b" " * MAX_SIZE + b"}",
    ],
    ids=lambda body: repr(body[:16]),
)
@pytest.mark.parametrize("status", [200, 400, 401])
def test_what_is_not_one_json_object_is_refused(status: int, body: bytes) -> None:
    assert _refusal(InvalidProviderAnswer, body, status) == "token.malformed"


def test_an_empty_object_holds_no_tokens() -> None:
    assert _refusal(InvalidProviderAnswer, b"{}") == "token.token_type"


@pytest.mark.parametrize("status", [100, 201, 202, 204, 206, 301, 302, 303, 307, 308])
def test_only_200_is_success(status: int) -> None:
    assert _refusal(InvalidProviderAnswer, _answer(), status) == "token.status"


def _error(error: Any, **members: Any) -> bytes:
    return json.dumps({"error": error, "error_description": "secret words", **members}).encode()


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_refresh_token_is_told_by_the_error_member_whatever_the_status(status: int) -> None:
    assert _refusal(GrantRefused, _error("invalid_grant"), status) == "token.invalid_grant"
    assert _refusal(GrantRefused, _error("invalid_grant"), status, content_type="text/html") == "token.invalid_grant"


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_code_is_a_failed_login(status: int) -> None:
    assert _refusal(LoginFailed, _error("invalid_grant"), status, "authorization_code") == "token.invalid_grant"


@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize(
    "error",
    [
        "invalid_client",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_request",
        "invalid_scope",
        "invalid_target",
    ],
)
def test_the_clients_own_faults_are_the_operators(error: str, grant: Grant) -> None:
    assert _refusal(ClientRefused, _error(error), 401, grant) == f"token.{error}"


@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize("error", ["temporarily_unavailable", "server_error", "slow_down"])
def test_passing_trouble_at_the_provider_ends_nothing(error: str, grant: Grant) -> None:
    assert _refusal(ProviderUnavailable, _error(error), 400, grant) == f"token.{error}"


@pytest.mark.parametrize(
    "error", ["invalid_code", "invalid_grant ", "INVALID_GRANT", "expired", "<script>", "é", "x" * 999]
)
def test_an_unknown_error_fails_a_login_and_leaves_a_session_alone(error: str) -> None:
    assert _refusal(LoginFailed, _error(error), 403, "authorization_code") == "token.unknown_error"
    assert _refusal(InvalidProviderAnswer, _error(error), 403, "refresh_token") == "token.unknown_error"


@pytest.mark.parametrize("error", [..., None, "", 1, True, ["invalid_grant"], {"error": "invalid_grant"}])
def test_a_refusal_without_an_error_code_ends_nothing(error: object) -> None:
    body = _answer() if error is ... else _error(error)
    assert _refusal(InvalidProviderAnswer, body, 400) == "token.refused_without_error"


@pytest.mark.parametrize(
    "member, value",
    [
        ("token_type", "DPoP"),
        ("token_type", ...),
        ("access_token", ...),
        ("access_token", "a\r\nb"),
        ("refresh_token", 5),
        ("id_token", "a b"),
        ("expires_in", "soon"),
        ("scope", 7),
    ],
)
def test_tokens_that_are_not_as_they_must_be_fail_a_login_and_leave_a_session_alone(member: str, value: object) -> None:
    body = _answer(**{member: value})
    assert _refusal(LoginFailed, body, grant="authorization_code") == f"token.{member}"
    assert _refusal(InvalidProviderAnswer, body, grant="refresh_token") == f"token.{member}"


@pytest.mark.parametrize("error", ["invalid_grant", "", 0, False, []])
def test_success_with_an_error_contradicts_itself(error: object) -> None:
    assert _refusal(InvalidProviderAnswer, _answer(error=error)) == "token.error_with_success"


@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 599])
@pytest.mark.parametrize("body", [b"", b"<html>", _error("invalid_grant"), _answer()])
def test_a_provider_in_trouble_is_unavailable_whatever_its_body_says(body: bytes, status: int, grant: Grant) -> None:
    assert _refusal(ProviderUnavailable, body, status, grant) == "token.unavailable"


@pytest.mark.parametrize(
    "header, seconds",
    [
        (None, 5),
        ("", 5),
        ("7", 7),
        (" 7 ", 7),
        ("0", 1),
        ("86400", 300),
        ("-1", 5),
        ("1.5", 5),
        ("soon", 5),
        ("9" * 10, 5),
        ("Fri, 01 Jan 2027 00:00:00 GMT", 5),
    ],
)
def test_how_long_to_wait_is_the_providers_word_within_bounds(header: str | None, seconds: float) -> None:
    with pytest.raises(ProviderUnavailable) as caught:
        _parse(b"", 503, retry_after=header)
    assert caught.value.retry_after == seconds


def test_no_error_repeats_what_the_provider_wrote() -> None:
    for status, body in [
        (400, _error("secret words")),
        (200, b'{"access_token": "secret words"'),
        (503, b"secret words"),
    ]:
        with pytest.raises(GatewayError) as caught:
            _parse(body, status)
        assert "secret" not in repr(caught.value)
        assert caught.value.__cause__ is None
