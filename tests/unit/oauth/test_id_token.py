import base64
import hashlib
import math
from typing import Any

import pytest

from bff.oauth.id_token import IdToken, UnmetAuthentication, validate_id_token, validate_refreshed_id_token
from bff.oauth.jws import InvalidToken, UnknownKey
from bff.oauth.keys import ProviderKeys, parse_keys
from tests.support.signed_tokens import (
    ACCESS_TOKEN,
    ALGORITHMS,
    CLIENT_ID,
    ISSUER,
    NONCE,
    NOW,
    id_token_claims,
    key_for,
    key_set,
    public_jwk,
    sign,
)

KEYS = parse_keys(key_set(*(public_jwk(key_for(name), kid="key-1") for name in ALGORITHMS if name != "Ed25519")))


def _validate(token: str, **arguments: Any) -> IdToken:
    expected: dict[str, Any] = {
        "keys": KEYS,
        "algorithms": ALGORITHMS,
        "issuer": ISSUER,
        "client_id": CLIENT_ID,
        "nonce": NONCE,
        "now": NOW,
        "access_token": ACCESS_TOKEN,
    }
    return validate_id_token(token, **{**expected, **arguments})


def _refreshed(token: str, **arguments: Any) -> IdToken:
    expected: dict[str, Any] = {
        "keys": KEYS,
        "algorithms": ALGORITHMS,
        "issuer": ISSUER,
        "client_id": CLIENT_ID,
        "now": NOW,
        "access_token": ACCESS_TOKEN,
        "subject": "user-1",
        "auth_time": None,
    }
    return validate_refreshed_id_token(token, **{**expected, **arguments})


def _refusal(arguments: Any = None, **changes: Any) -> str:
    with pytest.raises(InvalidToken) as caught:
        _validate(sign(id_token_claims(**changes)), **(arguments or {}))
    return caught.value.reason


def test_an_honest_id_token_is_accepted() -> None:
    token = sign(id_token_claims(sid="s-1", acr="urn:mace:silver", auth_time=NOW - 5, name="Ada", family={"a": [1]}))
    id_token = _validate(token)
    assert id_token.token == token
    assert id_token.algorithm == "RS256"
    assert (id_token.issuer, id_token.subject, id_token.sid) == (ISSUER, "user-1", "s-1")
    assert (id_token.issued_at, id_token.expires_at, id_token.auth_time) == (NOW, NOW + 300, NOW - 5)
    assert id_token.acr == "urn:mace:silver"
    assert id_token.claims["name"] == "Ada"
    assert id_token.claims["family"] == {"a": [1]}


def test_what_is_optional_may_be_missing() -> None:
    id_token = _validate(sign(id_token_claims()))
    assert (id_token.sid, id_token.auth_time, id_token.acr) == (None, None, None)


def test_an_id_token_does_not_show_its_content_in_logs() -> None:
    assert "user-1" not in repr(_validate(sign(id_token_claims())))


def test_the_signature_is_checked() -> None:
    head, payload, signature = sign(id_token_claims()).split(".")
    _, other, _ = sign(id_token_claims(sub="admin")).split(".")
    with pytest.raises(InvalidToken) as caught:
        _validate(f"{head}.{other}.{signature}")
    assert caught.value.reason == "id_token.signature"
    with pytest.raises(UnknownKey):
        _validate(f"{head}.{payload}.{signature}", keys=ProviderKeys())


@pytest.mark.parametrize("typ", ["logout+jwt", "at+jwt"])
def test_a_token_typed_for_another_purpose_is_refused(typ: str) -> None:
    with pytest.raises(InvalidToken) as caught:
        _validate(sign(id_token_claims(), typ=typ))
    assert caught.value.reason == "id_token.type"


@pytest.mark.parametrize(
    "iss",
    [
        ...,
        None,
        "",
        "https://provider.example/",
        "https://provider.example:443",
        "http://provider.example",
        "https://PROVIDER.example",
        "https://provider.example.evil.example",
        [ISSUER],
        {"iss": ISSUER},
        1,
    ],
    ids=str,
)
def test_only_exactly_this_issuer_is_accepted(iss: object) -> None:
    assert _refusal(iss=iss) == "id_token.issuer"


@pytest.mark.parametrize("aud", [CLIENT_ID, [CLIENT_ID], [CLIENT_ID, CLIENT_ID]])
def test_a_token_for_this_client_is_accepted_as_string_or_array(aud: object) -> None:
    azp = CLIENT_ID if isinstance(aud, list) else ...
    assert _validate(sign(id_token_claims(aud=aud, azp=azp))).subject == "user-1"


def test_an_array_of_one_needs_no_authorized_party() -> None:
    assert _validate(sign(id_token_claims(aud=[CLIENT_ID]))).subject == "user-1"


@pytest.mark.parametrize(
    "aud",
    [
        ...,
        None,
        "",
        "other",
        CLIENT_ID + " ",
        CLIENT_ID.upper(),
        f"{CLIENT_ID} other",
        [],
        ["other"],
        [[CLIENT_ID]],
        [CLIENT_ID, 1],
        [CLIENT_ID, None],
        {CLIENT_ID: True},
        1,
        True,
    ],
    ids=str,
)
def test_a_token_for_somebody_else_is_refused(aud: object) -> None:
    assert _refusal(aud=aud) == "id_token.audience"
    assert _refusal(aud=aud, azp=CLIENT_ID) == "id_token.audience"


def test_a_further_audience_is_refused_unless_it_is_trusted() -> None:
    both = {"aud": [CLIENT_ID, "other"], "azp": CLIENT_ID}
    assert _refusal(**both) == "id_token.audience"
    assert _validate(sign(id_token_claims(**both)), trusted_audiences=("other",)).subject == "user-1"


def test_several_audiences_need_the_authorized_party() -> None:
    trusting = {"trusted_audiences": ("other",)}
    assert _refusal(trusting, aud=[CLIENT_ID, "other"]) == "id_token.authorized_party"
    assert _refusal(trusting, aud=["other", CLIENT_ID], azp="other") == "id_token.authorized_party"


@pytest.mark.parametrize("azp", ["other", "", None, [CLIENT_ID], 1])
def test_an_authorized_party_must_be_this_client(azp: object) -> None:
    assert _refusal(azp=azp) == "id_token.authorized_party"
    assert _validate(sign(id_token_claims(azp=CLIENT_ID))).subject == "user-1"


@pytest.mark.parametrize(
    "sub", [..., None, "", 1, ["user-1"], "u" * 256, "user\n1", "user\x001", "user\u20281"], ids=str
)
def test_a_subject_must_be_an_identifier(sub: object) -> None:
    assert _refusal(sub=sub) == "id_token.sub"


@pytest.mark.parametrize("sub", ["u", "u" * 255, "auth0|1 2", "Jürgen"])
def test_any_identifier_of_up_to_255_characters_is_a_subject(sub: str) -> None:
    assert _validate(sign(id_token_claims(sub=sub))).subject == sub


@pytest.mark.parametrize("sid", [None, "", 1, ["s"], "s" * 256, "s\r\n"])
def test_a_session_identifier_must_be_an_identifier(sid: object) -> None:
    assert _refusal(sid=sid) == "id_token.sid"


_NOT_TIMES: list[object] = [None, True, False, "1800000000", "", [NOW], {}, -1, -1e300, 1e300, 1e18, 253_402_300_800]


@pytest.mark.parametrize("value", _NOT_TIMES, ids=str)
@pytest.mark.parametrize("claim", ["exp", "iat", "nbf", "auth_time"])
def test_a_time_must_be_a_number_of_seconds_that_can_be_a_date(claim: str, value: object) -> None:
    assert _refusal(**{claim: value}) == f"id_token.{claim}"


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_numbers_that_json_does_not_have_are_refused(value: float) -> None:
    assert _refusal(exp=value) == "id_token.malformed"


@pytest.mark.parametrize("claim", ["exp", "iat"])
def test_expiry_and_issue_time_are_required(claim: str) -> None:
    assert _refusal(**{claim: ...}) == f"id_token.{claim}"


def test_an_expired_token_is_refused_after_a_minute_of_leeway() -> None:
    assert _validate(sign(id_token_claims(exp=NOW - 59))).expires_at == NOW - 59
    assert _refusal(exp=NOW - 60) == "id_token.expired"
    assert _refusal(exp=NOW - 301) == "id_token.expired"
    assert _refusal(exp=0) == "id_token.expired"


def test_a_token_from_the_future_is_refused_after_a_minute_of_leeway() -> None:
    assert _validate(sign(id_token_claims(iat=NOW + 60))).issued_at == NOW + 60
    assert _refusal(iat=NOW + 61) == "id_token.iat"
    assert _refusal(iat=NOW + 86_400) == "id_token.iat"


def test_a_token_older_than_any_authorization_code_is_refused() -> None:
    assert _validate(sign(id_token_claims(iat=NOW - 660))).issued_at == NOW - 660
    assert _refusal(iat=NOW - 661) == "id_token.iat"
    assert _refusal(iat=0) == "id_token.iat"


def test_a_token_that_is_not_valid_yet_is_refused_after_a_minute_of_leeway() -> None:
    assert _validate(sign(id_token_claims(nbf=NOW + 60))).subject == "user-1"
    assert _refusal(nbf=NOW + 61) == "id_token.nbf"


def test_fractions_of_seconds_are_accepted() -> None:
    id_token = _validate(sign(id_token_claims(iat=NOW + 0.5, exp=NOW + 100.25, auth_time=NOW - 0.75)))
    assert (id_token.issued_at, id_token.expires_at, id_token.auth_time) == (NOW + 0.5, NOW + 100.25, NOW - 0.75)


@pytest.mark.parametrize("nonce", [..., None, "", "other", NONCE + "x", NONCE[:-1], [NONCE], 1, "ü"], ids=str)
def test_the_nonce_of_the_request_must_come_back(nonce: object) -> None:
    assert _refusal(nonce=nonce) == "id_token.nonce"


def test_where_no_nonce_was_sent_none_is_compared() -> None:
    assert _validate(sign(id_token_claims(nonce=...)), nonce=None).subject == "user-1"


def _at_hash(digest: str, access_token: str = ACCESS_TOKEN) -> str:
    value = hashlib.new(digest, access_token.encode()).digest()
    return base64.urlsafe_b64encode(value[: len(value) // 2]).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_hash_of_the_access_token_is_checked_with_the_digest_of_the_signature(algorithm: str) -> None:
    digests = {"256": "sha256", "384": "sha384", "512": "sha512"}
    right = digests.get(algorithm[-3:], "sha512")
    assert _validate(sign(id_token_claims(at_hash=_at_hash(right)), algorithm=algorithm)).subject == "user-1"
    for wrong in {*digests.values()} - {right}:
        with pytest.raises(InvalidToken) as caught:
            _validate(sign(id_token_claims(at_hash=_at_hash(wrong)), algorithm=algorithm))
        assert caught.value.reason == "id_token.at_hash"


@pytest.mark.parametrize(
    "at_hash", [_at_hash("sha256", "another"), _at_hash("sha256") + "=", "", None, 1, "ü"], ids=str
)
def test_a_wrong_hash_of_the_access_token_is_refused(at_hash: object) -> None:
    assert _refusal(at_hash=at_hash) == "id_token.at_hash"


def test_a_hash_that_cannot_be_checked_is_refused() -> None:
    assert _refusal({"access_token": None}, at_hash=_at_hash("sha256")) == "id_token.at_hash"


@pytest.mark.parametrize("acr", [1, ["a"], True, {}])
def test_an_authentication_context_must_be_text(acr: object) -> None:
    assert _refusal(acr=acr) == "id_token.acr"


def test_the_time_of_authentication_is_not_judged_unless_it_was_asked_for() -> None:
    assert _validate(sign(id_token_claims(auth_time=0))).auth_time == 0


def test_the_authentication_must_be_as_recent_as_was_asked_for() -> None:
    assert _validate(sign(id_token_claims(auth_time=NOW - 160)), max_age=100).auth_time == NOW - 160
    assert _refusal({"max_age": 100}, auth_time=NOW - 161) == "id_token.auth_time"
    assert _refusal({"max_age": 100}, auth_time=0) == "id_token.auth_time"
    assert _refusal({"max_age": 0}, auth_time=NOW - 3600) == "id_token.auth_time"
    assert _refusal({"max_age": 0}) == "id_token.auth_time"
    assert _refusal({"max_age": 100}, auth_time=NOW + 61) == "id_token.auth_time"


def test_who_authenticated_when_asked_to_may_take_their_time_for_the_rest_of_the_login() -> None:
    asked = {"max_age": 0, "asked_at": NOW - 400}
    assert _validate(sign(id_token_claims(auth_time=NOW - 300)), **asked).auth_time == NOW - 300
    assert _refusal(asked, auth_time=NOW - 461) == "id_token.auth_time"
    assert _validate(sign(id_token_claims(auth_time=NOW - 660)), **asked | {"max_age": 600}).auth_time == NOW - 660
    assert _refusal(asked, auth_time=NOW + 61) == "id_token.auth_time"


def test_a_refreshed_id_token_needs_no_nonce_and_may_be_older() -> None:
    id_token = _refreshed(sign(id_token_claims(nonce=..., iat=NOW - 7200)))
    assert id_token.subject == "user-1"


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"iss": "https://other.example"}, "issuer"),
        ({"iss": ...}, "issuer"),
        ({"sub": "user-2"}, "subject_changed"),
        ({"sub": ...}, "sub"),
        ({"aud": "other"}, "audience"),
        ({"aud": [CLIENT_ID, "other"], "azp": CLIENT_ID}, "audience"),
        ({"azp": "other"}, "authorized_party"),
        ({"exp": NOW - 60}, "expired"),
        ({"iat": ...}, "iat"),
        ({"iat": NOW + 61}, "iat"),
        ({"at_hash": "wrong"}, "at_hash"),
        ({"auth_time": NOW - 99}, "auth_time_changed"),
    ],
    ids=str,
)
def test_a_refreshed_id_token_speaks_of_the_same_login_or_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidToken) as caught:
        _refreshed(sign(id_token_claims(**changes)), auth_time=NOW - 100)
    assert caught.value.reason == f"id_token.{reason}"


def test_a_refreshed_id_token_may_leave_the_time_of_authentication_out() -> None:
    assert _refreshed(sign(id_token_claims()), auth_time=NOW - 100).auth_time is None
    assert _refreshed(sign(id_token_claims(auth_time=NOW - 100)), auth_time=NOW - 100).auth_time == NOW - 100
    assert _refreshed(sign(id_token_claims(auth_time=NOW - 100)), auth_time=None).auth_time == NOW - 100


def test_the_signature_of_a_refreshed_id_token_is_checked() -> None:
    head, _, signature = sign(id_token_claims()).split(".")
    _, other, _ = sign(id_token_claims(name="Mallory")).split(".")
    with pytest.raises(InvalidToken) as caught:
        _refreshed(f"{head}.{other}.{signature}")
    assert caught.value.reason == "id_token.signature"


def test_of_the_contexts_that_must_be_reached_one_must_be() -> None:
    asked = {"acr_values": ("gold", "silver")}
    assert _validate(sign(id_token_claims(acr="silver")), **asked).acr == "silver"
    assert _refusal(asked, acr="bronze") == "id_token.acr_unmet"
    assert _refusal(asked, acr="GOLD") == "id_token.acr_unmet"
    assert _refusal(asked) == "id_token.acr_unmet"
    with pytest.raises(UnmetAuthentication):
        _validate(sign(id_token_claims()), **asked)
