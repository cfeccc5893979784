import json
from typing import Any

import pytest

from bff.errors import ClientRefused, GatewayError, InvalidProviderAnswer, LoginFailed, ProviderUnavailable
from bff.oauth.par import MAX_SIZE, PushedRequest, parse_pushed_response

URI = "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c"


def _body(**changes: Any) -> bytes:
    members = {"request_uri": URI, "expires_in": 60, **changes}
    return json.dumps({name: value for name, value in members.items() if value is not ...}).encode()


def _refusal(expected: type[GatewayError], status: int, body: bytes) -> str:
    with pytest.raises(expected) as caught:
        parse_pushed_response(status, body)
    return caught.value.reason


@pytest.mark.parametrize("status", [200, 201])
def test_a_pushed_request_is_known_by_its_reference(status: int) -> None:
    assert parse_pushed_response(status, _body()) == PushedRequest(URI, 60.0)
    assert parse_pushed_response(status, _body(request_uri="https://provider.example/r/1", expires_in=0.5)) == (
        PushedRequest("https://provider.example/r/1", 0.5)
    )


@pytest.mark.parametrize(
    "uri", [..., None, "", 1, [URI], "no-scheme", "urn:", "urn:a b", "urn:a\r\n", "urn:é", "urn:" + "a" * 2001]
)
def test_a_reference_must_be_a_uri(uri: object) -> None:
    assert _refusal(InvalidProviderAnswer, 201, _body(request_uri=uri)) == "par.request_uri"


@pytest.mark.parametrize("expires_in", [..., None, 0, -1, True, "60", [60]])
def test_a_reference_must_say_how_long_it_lives(expires_in: object) -> None:
    assert _refusal(InvalidProviderAnswer, 201, _body(expires_in=expires_in)) == "par.expires_in"


@pytest.mark.parametrize("status", [202, 204, 302, 303])
def test_another_status_is_refused(status: int) -> None:
    assert _refusal(InvalidProviderAnswer, status, _body()) == "par.status"


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"{}" + b" " * MAX_SIZE])
def test_what_is_not_one_json_object_is_refused(body: bytes) -> None:
    assert _refusal(InvalidProviderAnswer, 201, body) == "par.malformed"


def test_refusals_are_told_by_their_error_code() -> None:
    def error(code: str) -> bytes:
        return json.dumps({"error": code, "error_description": "secret"}).encode()

    assert _refusal(ClientRefused, 401, error("invalid_client")) == "par.invalid_client"
    assert _refusal(ClientRefused, 400, error("invalid_request")) == "par.invalid_request"
    assert _refusal(ClientRefused, 400, error("request_not_supported")) == "par.request_not_supported"
    assert _refusal(ProviderUnavailable, 400, error("temporarily_unavailable")) == "par.temporarily_unavailable"
    assert _refusal(LoginFailed, 400, error("unheard_of")) == "par.unknown_error"
    assert _refusal(InvalidProviderAnswer, 400, b"{}") == "par.refused_without_error"
    assert _refusal(InvalidProviderAnswer, 201, _body(error="x")) == "par.error_with_success"


def test_a_provider_in_trouble_is_unavailable() -> None:
    with pytest.raises(ProviderUnavailable) as caught:
        parse_pushed_response(503, b"", retry_after="30")
    assert (caught.value.reason, caught.value.retry_after) == ("par.unavailable", 30)
