"""What a login and a refresh leave in the session record."""

from __future__ import annotations

from typing import Any

import pytest

from bff.errors import LoginFailed
from bff.oauth.id_token import IdToken
from bff.oauth.token_response import TokenResponse
from bff.provider import Login, RefreshedTokens
from bff.session.record import AccessToken, SessionRecord
from bff.tokens import record_from_login
from bff.tokens.records import ASSUMED_LIFETIME, record_after_refresh, record_without_refresh
from tests.support.signed_tokens import CLIENT_ID, ISSUER, NOW

MAX = 28800.0


def tokens(**changes: Any) -> TokenResponse:
    members: dict[str, Any] = {
        "access_token": "access-1",
        "token_type": "Bearer",
        "expires_in": 300.0,
        "refresh_token": "refresh-1",
        "id_token": None,
        "scope": None,
        **changes,
    }
    return TokenResponse(**members)


def id_token(**claims: Any) -> IdToken:
    return IdToken(
        token="id-token-1",
        algorithm="RS256",
        issuer=ISSUER,
        subject="user-1",
        sid="session-1",
        issued_at=NOW - 2,
        expires_at=NOW + 300,
        auth_time=NOW - 60,
        acr="gold",
        claims={"sub": "user-1", **claims},
    )


def login(tokens: TokenResponse, id_token: IdToken | None) -> Login:
    return Login(
        issuer=ISSUER,
        client_id=CLIENT_ID,
        subject="user-1",
        scope=("openid",),
        tokens=tokens,
        id_token=id_token,
        claims={"sub": "user-1"},
    )


def record() -> SessionRecord:
    return record_from_login(login(tokens(), id_token()), now=NOW, max_lifetime=MAX)


def test_a_login_is_recorded() -> None:
    assert record() == SessionRecord(
        issuer=ISSUER,
        client_id=CLIENT_ID,
        subject="user-1",
        sid="session-1",
        claims={"sub": "user-1"},
        id_token="id-token-1",
        refresh_token="refresh-1",
        access_token=AccessToken("access-1", NOW + 300, ("openid",)),
        created_at=NOW,
        expires_at=NOW + MAX,
        issued_at=NOW - 2,
        auth_time=NOW - 60,
        acr="gold",
    )


def test_a_login_of_plain_oauth_is_recorded_without_an_id_token() -> None:
    plain = record_from_login(login(tokens(), None), now=NOW, max_lifetime=MAX)
    assert (plain.id_token, plain.sid, plain.auth_time, plain.acr, plain.issued_at) == (None, None, None, None, NOW)


def test_a_session_that_cannot_be_refreshed_ends_with_its_access_token() -> None:
    result = record_from_login(login(tokens(refresh_token=None), id_token()), now=NOW, max_lifetime=MAX)
    assert result.expires_at == NOW + 300


def test_an_access_token_of_unknown_life_lives_as_long_as_the_session_or_is_assumed_to_be_short() -> None:
    unlimited = record_from_login(login(tokens(refresh_token=None, expires_in=None), None), now=NOW, max_lifetime=MAX)
    assert (unlimited.access_token.expires_at, unlimited.expires_at) == (None, NOW + MAX)
    assumed = record_from_login(login(tokens(expires_in=None), None), now=NOW, max_lifetime=MAX)
    assert assumed.access_token.expires_at == NOW + ASSUMED_LIFETIME


@pytest.mark.parametrize(
    ("session_expiry", "expires_at"),
    [
        (NOW + 600, NOW + 600),
        (NOW + 10 * MAX, NOW + MAX),
        ("tomorrow", NOW + MAX),
        (True, NOW + MAX),
    ],
)
def test_the_providers_own_limit_of_the_session_is_kept(session_expiry: Any, expires_at: float) -> None:
    limited = login(tokens(), id_token(session_expiry=session_expiry))
    assert record_from_login(limited, now=NOW, max_lifetime=MAX).expires_at == expires_at


@pytest.mark.parametrize(
    "over", [login(tokens(), id_token(session_expiry=NOW)), login(tokens(refresh_token=None, expires_in=0.0), None)]
)
def test_a_login_that_is_over_before_it_begins_is_refused(over: Login) -> None:
    with pytest.raises(LoginFailed) as caught:
        record_from_login(over, now=NOW, max_lifetime=MAX)
    assert caught.value.reason == "login.expired"


def test_a_refresh_replaces_what_it_brings_and_nothing_else() -> None:
    refreshed = RefreshedTokens(
        tokens=tokens(access_token="access-2", refresh_token="refresh-2", scope=("openid", "email")),
        received_at=NOW + 250,
        id_token=id_token(),
        claims={"email": "ada@example.com"},
    )
    after = record_after_refresh(record(), refreshed)
    assert after.access_token == AccessToken("access-2", NOW + 550, ("openid", "email"))
    assert (after.refresh_token, after.refreshed_at) == ("refresh-2", NOW + 250)
    assert after.claims == {"sub": "user-1", "email": "ada@example.com"}
    assert (after.created_at, after.expires_at, after.issued_at) == (NOW, NOW + MAX, NOW - 2)


def test_a_session_that_lost_its_refresh_token_ends_with_its_access_token_at_the_latest() -> None:
    lost = record_without_refresh(record())
    assert (lost.refresh_token, lost.expires_at) == (None, NOW + 300)
    unlimited = record_from_login(login(tokens(), None), now=NOW, max_lifetime=60.0)
    assert record_without_refresh(unlimited).expires_at == NOW + 60


def test_a_session_with_a_token_of_unknown_life_keeps_its_own_limit() -> None:
    endless = record_from_login(login(tokens(refresh_token=None, expires_in=None), None), now=NOW, max_lifetime=MAX)
    assert record_without_refresh(endless).expires_at == NOW + MAX
