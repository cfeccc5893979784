from typing import Any

import pytest

from bff.oauth.id_token import validate_id_token
from bff.oauth.jws import InvalidToken, UnknownKey
from bff.oauth.keys import ProviderKeys, parse_keys
from bff.oauth.logout_token import EVENT, LogoutToken, validate_logout_token
from tests.support.signed_tokens import (
    CLIENT_ID,
    ISSUER,
    NONCE,
    NOW,
    id_token_claims,
    key_for,
    key_set,
    logout_token_claims,
    public_jwk,
    rsa_key,
    segment,
    sign,
)

KEYS = parse_keys(key_set(public_jwk(rsa_key(), kid="key-1"), public_jwk(key_for("ES256"), kid="key-1")))


def _sign(payload: Any, *, typ: object = "logout+jwt", **arguments: Any) -> str:
    return sign(payload, typ=typ, **arguments)


def _validate(token: str, *, now: float = NOW, keys: ProviderKeys = KEYS) -> LogoutToken:
    return validate_logout_token(
        token, keys=keys, algorithms=("RS256", "ES256"), issuer=ISSUER, client_id=CLIENT_ID, now=now
    )


def _refusal(token: str, now: float = NOW) -> str:
    with pytest.raises(InvalidToken) as caught:
        _validate(token, now=now)
    return caught.value.reason


def _refused_with(**changes: Any) -> str:
    return _refusal(_sign(logout_token_claims(**changes)))


def test_an_honest_logout_token_names_what_to_end() -> None:
    assert _validate(_sign(logout_token_claims(unknown={"to": "ignore"}))) == LogoutToken(
        issuer=ISSUER,
        subject="user-1",
        sid="session-1",
        issued_at=NOW,
        token_id="logout-1",
        expires_at=NOW + 120 + 60,
    )


def test_a_subject_or_a_session_is_enough() -> None:
    assert _validate(_sign(logout_token_claims(sid=...))).subject == "user-1"
    assert _validate(_sign(logout_token_claims(sub=...))).sid == "session-1"


def test_neither_subject_nor_session_is_refused() -> None:
    assert _refused_with(sub=..., sid=...) == "logout_token.sub"


@pytest.mark.parametrize("value", ["", None, 1, ["x"], "x" * 256, "x\n"])
@pytest.mark.parametrize("claim", ["sub", "sid", "jti"])
def test_identifiers_must_be_identifiers(claim: str, value: object) -> None:
    assert _refused_with(**{claim: value}) == f"logout_token.{claim}"


@pytest.mark.parametrize("typ", ["logout+jwt", "application/logout+jwt", "LOGOUT+JWT", "JWT", ...])
def test_the_type_of_logout_tokens_or_of_any_jwt_or_none_is_accepted(typ: object) -> None:
    assert _validate(_sign(logout_token_claims(), typ=typ)).token_id == "logout-1"


@pytest.mark.parametrize("typ", ["at+jwt", "secevent+jwt", "dpop+jwt", "oauth-authz-req+jwt", "JOSE", "", None, 1])
def test_any_other_type_is_refused(typ: object) -> None:
    assert _refusal(_sign(logout_token_claims(), typ=typ)) == "logout_token.type"


def test_an_unsigned_token_is_refused() -> None:
    token = f"{segment({'alg': 'none', 'typ': 'logout+jwt'})}.{segment(logout_token_claims())}."
    assert _refusal(token) == "logout_token.algorithm"


def test_an_algorithm_the_provider_does_not_list_is_refused() -> None:
    assert _refusal(_sign(logout_token_claims(), algorithm="PS256")) == "logout_token.algorithm"


def test_a_signature_of_somebody_else_is_refused() -> None:
    assert _refusal(_sign(logout_token_claims(), key=rsa_key(1))) == "logout_token.signature"
    with pytest.raises(UnknownKey):
        _validate(_sign(logout_token_claims(), kid="unheard-of"))


def test_critical_extensions_are_refused() -> None:
    assert _refusal(_sign(logout_token_claims(), crit=["exp"])) == "logout_token.critical"


def test_an_oversized_token_is_refused() -> None:
    assert _refused_with(padding="x" * 30_000) == "logout_token.too_large"


@pytest.mark.parametrize("iss", [..., ISSUER + "/", "https://other.example", [ISSUER], None])
def test_another_issuer_is_refused(iss: object) -> None:
    assert _refused_with(iss=iss) == "logout_token.issuer"


@pytest.mark.parametrize("aud", [..., "other", ["other"], [CLIENT_ID, "other"], [], None, {}])
def test_another_audience_is_refused(aud: object) -> None:
    assert _refused_with(aud=aud) == "logout_token.audience"


def test_an_audience_in_an_array_is_accepted() -> None:
    assert _validate(_sign(logout_token_claims(aud=[CLIENT_ID]))).token_id == "logout-1"


def test_the_token_identifier_is_required() -> None:
    assert _refused_with(jti=...) == "logout_token.jti"


@pytest.mark.parametrize("iat", [..., None, True, "1800000000", -1, 1e300, NOW + 61, NOW - 661])
def test_the_issue_time_must_be_there_and_recent(iat: object) -> None:
    assert _refused_with(iat=iat) == "logout_token.iat"


@pytest.mark.parametrize("exp", [None, True, "1800000120", -1, 1e300])
def test_an_expiry_that_is_no_date_is_refused(exp: object) -> None:
    assert _refused_with(exp=exp) == "logout_token.exp"


def test_an_expired_token_is_refused_after_a_minute_of_leeway() -> None:
    assert _validate(_sign(logout_token_claims(exp=NOW - 59, iat=NOW - 100))).expires_at == NOW + 1
    assert _refused_with(exp=NOW - 60, iat=NOW - 100) == "logout_token.expired"


def test_a_token_without_expiry_lives_as_long_as_the_specification_recommends() -> None:
    token = _sign(logout_token_claims(exp=..., sid=...))
    assert _validate(token, now=NOW + 179).expires_at == NOW + 180
    assert _refusal(token, now=NOW + 180) == "logout_token.expired"


def test_however_late_a_token_expires_it_is_refused_when_it_is_old() -> None:
    token = _sign(logout_token_claims(exp=NOW + 86_400))
    assert _validate(token, now=NOW + 659).expires_at == NOW + 660
    assert _refusal(token, now=NOW + 660) == "logout_token.expired"
    assert _refusal(token, now=NOW + 661) == "logout_token.iat"


def test_a_token_that_is_not_valid_yet_is_refused() -> None:
    assert _refused_with(nbf=NOW + 61) == "logout_token.nbf"


@pytest.mark.parametrize(
    "events",
    [
        ...,
        None,
        {},
        [],
        EVENT,
        [EVENT],
        {EVENT: None},
        {EVENT: True},
        {EVENT: "{}"},
        {EVENT: []},
        {EVENT + "/": {}},
        {EVENT.replace("http:", "https:"): {}},
        {"http://schemas.openid.net/event/frontchannel-logout": {}},
    ],
    ids=str,
)
def test_the_event_must_be_there_as_an_object(events: object) -> None:
    assert _refused_with(events=events) == "logout_token.events"


def test_further_events_and_members_of_the_event_are_ignored() -> None:
    assert _validate(_sign(logout_token_claims(events={EVENT: {"a": 1}, "other": {}}))).token_id == "logout-1"


@pytest.mark.parametrize("nonce", ["n", "", None])
def test_a_nonce_is_refused(nonce: object) -> None:
    assert _refused_with(nonce=nonce) == "logout_token.nonce"


def test_an_id_token_does_not_log_anybody_out() -> None:
    for typ in ("JWT", ...):
        assert _refusal(sign(id_token_claims(sid="session-1", jti="1"), typ=typ)) == "logout_token.events"


def test_a_logout_token_does_not_log_anybody_in() -> None:
    with pytest.raises(InvalidToken) as caught:
        validate_id_token(
            _sign(logout_token_claims(), typ=...),
            keys=KEYS,
            algorithms=("RS256",),
            issuer=ISSUER,
            client_id=CLIENT_ID,
            nonce=NONCE,
            now=NOW,
            access_token=None,
        )
    assert caught.value.reason == "id_token.nonce"
