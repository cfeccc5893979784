from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.errors import LoginFailed
from bff.oauth.authorization import (
    ProviderRefusal,
    Transaction,
    ValidatedCode,
    parse_response,
    response_state,
    validate_authorization_response,
)
from bff.oauth.authorization_response import MAX_SIZE
from tests.support.signed_tokens import ISSUER, NOW
from tests.unit.oauth.provider_documents import metadata

TRANSACTION = Transaction(state="state-1", nonce="n", code_verifier="v", return_to="/", issuer=ISSUER, started_at=NOW)
PLAIN = metadata()
NAMES_ITSELF = metadata(authorization_response_iss_parameter_supported=True)


def _validate(query: str | bytes, **arguments: Any) -> ValidatedCode:
    parameters = parse_response(query)
    return validate_authorization_response(parameters, **{"transaction": TRANSACTION, "metadata": PLAIN, **arguments})


def _refusal(query: str | bytes, **arguments: Any) -> str:
    with pytest.raises(LoginFailed) as caught:
        _validate(query, **arguments)
    return caught.value.reason


def test_an_honest_answer_yields_its_code() -> None:
    assert _validate("code=abc%20def~&state=state-1").reveal() == "abc def~"
    assert _validate(b"state=state-1&code=abc&session_state=xyz").reveal() == "abc"


def test_a_code_cannot_be_made_without_validation() -> None:
    with pytest.raises(TypeError):
        ValidatedCode()
    assert "abc" not in repr(_validate("code=abc&state=state-1"))


def test_the_issuer_of_the_answer_is_accepted_when_it_is_right() -> None:
    query = urlencode({"code": "abc", "state": "state-1", "iss": ISSUER})
    assert _validate(query).reveal() == "abc"
    assert _validate(query, metadata=NAMES_ITSELF).reveal() == "abc"


@pytest.mark.parametrize("iss", ["", ISSUER + "/", ISSUER.upper(), "https://attacker.example", ISSUER + "%00"])
@pytest.mark.parametrize("rest", ["code=abc&state=state-1", "error=access_denied&state=state-1", "code=abc", "error=x"])
def test_an_answer_of_another_issuer_is_refused_before_anything_else_is_read(iss: str, rest: str) -> None:
    assert _refusal(f"{rest}&{urlencode({'iss': iss})}") == "callback.issuer"


@pytest.mark.parametrize("rest", ["code=abc&state=state-1", "error=access_denied&state=state-1"])
def test_a_missing_issuer_is_refused_if_the_provider_says_it_names_itself(rest: str) -> None:
    assert _refusal(rest, metadata=NAMES_ITSELF) == "callback.issuer_missing"


def test_an_answer_to_a_login_at_another_provider_is_refused() -> None:
    elsewhere = Transaction(
        state="state-1", nonce="n", code_verifier="v", return_to="/", issuer="https://other.example", started_at=NOW
    )
    assert _refusal("code=abc&state=state-1", transaction=elsewhere) == "callback.transaction_issuer"


@pytest.mark.parametrize("rest", ["code=abc", "error=access_denied"])
def test_the_state_must_come_back(rest: str) -> None:
    assert _refusal(rest) == "callback.state_missing"
    for state in ("", "state-2", "state-1x", "state-", "STATE-1", "%C3%BC"):
        assert _refusal(f"{rest}&state={state}") == "callback.state"


@pytest.mark.parametrize("name", ["code", "state", "iss", "error", "error_description", "session_state", "unheard_of"])
@pytest.mark.parametrize("second", ["same", "other"])
def test_a_parameter_that_comes_twice_is_refused_even_with_the_same_value(name: str, second: str) -> None:
    query = urlencode({"code": "abc", "state": "state-1", "iss": ISSUER})
    assert _refusal(f"{query}&{name}=same&{name}={second}") == "callback.malformed"


@pytest.mark.parametrize(
    "query", ["code=abc&state=state-1&x=%", "code=%ff&state=state-1", "code=a b&state=state-1", b"\xff"]
)
def test_a_query_that_cannot_be_read_is_refused(query: str | bytes) -> None:
    assert _refusal(query) == "callback.malformed"
    assert response_state(query) is None


def test_an_oversized_query_is_refused() -> None:
    query = "code=abc&state=state-1&x="
    assert _validate(query + "x" * (MAX_SIZE - len(query))).reveal() == "abc"
    assert _refusal(query + "x" * (MAX_SIZE - len(query) + 1)) == "callback.malformed"


@pytest.mark.parametrize("name", ["access_token", "id_token", "token_type", "expires_in", "refresh_token", "response"])
def test_what_belongs_to_another_flow_is_refused(name: str) -> None:
    assert _refusal(f"code=abc&state=state-1&{name}=x") == "callback.foreign_answer"


@pytest.mark.parametrize("code", ["", "%0d%0a", "a%00", "caf%C3%A9", "a" * 4097])
def test_a_code_must_be_printable_text_of_bounded_length(code: str) -> None:
    assert _refusal(f"code={code}&state=state-1") == "callback.code"


def test_an_answer_without_code_and_error_is_refused() -> None:
    assert _refusal("state=state-1") == "callback.code_missing"


def test_an_answer_with_code_and_error_is_refused() -> None:
    assert _refusal("state=state-1&code=abc&error=access_denied") == "callback.code_with_error"


def _provider_refusal(error: str) -> ProviderRefusal:
    with pytest.raises(ProviderRefusal) as caught:
        _validate(urlencode({"state": "state-1", "error": error, "error_description": "<script>secret</script>"}))
    return caught.value


@pytest.mark.parametrize(
    "error",
    ["access_denied", "login_required", "consent_required", "interaction_required", "invalid_scope", "server_error",
     "temporarily_unavailable", "unmet_authentication_requirements"],
)  # fmt: skip
def test_a_registered_error_of_the_provider_is_told_by_its_code(error: str) -> None:
    refusal = _provider_refusal(error)
    assert refusal.error == error
    assert refusal.reason == f"provider.{error}"
    assert refusal.explanation.endswith(".")


@pytest.mark.parametrize(
    "error", ["", "other", "<script>alert(1)</script>", "Access_Denied", "x" * 4000, "a\r\nb", "ü"]
)
def test_any_other_error_of_the_provider_is_not_repeated(error: str) -> None:
    refusal = _provider_refusal(error)
    assert refusal.error == "other"
    assert refusal.reason == "provider.other"
    assert refusal.args == ("provider.other",)


def test_nothing_the_provider_wrote_is_kept() -> None:
    refusal = _provider_refusal("access_denied")
    assert "secret" not in f"{refusal!r} {refusal.explanation} {vars(refusal)}"


def test_the_state_of_an_answer_can_be_read_before_its_transaction_is_known() -> None:
    assert response_state("code=abc&state=state-1") == "state-1"
    assert response_state(b"error=x&state=a.b-c_d") == "a.b-c_d"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=abc",
        "state=",
        "state=a&state=a",
        "state=a&%73tate=b",
        "state=a%20b",
        "state=a%00",
        "state=caf%C3%A9",
        "state=" + "a" * 513,
        "state=a&x=%",
        "state=a&x=" + "x" * MAX_SIZE,
    ],
    ids=lambda query: query[:20],
)
def test_a_state_that_is_missing_malformed_or_repeated_is_no_state(query: str) -> None:
    assert response_state(query) is None


@given(st.one_of(st.binary(max_size=80), st.text(max_size=80)))
def test_no_answer_passes_by_chance(query: bytes | str) -> None:
    with pytest.raises(LoginFailed):
        _validate(query)
