from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bff.oauth.end_session import MAX_LENGTH, end_session_url
from tests.support.signed_tokens import ISSUER
from tests.unit.oauth.provider_documents import metadata

ENDPOINT = f"{ISSUER}/logout"


def _url(endpoint: object = ENDPOINT, **changes: Any) -> str | None:
    arguments: dict[str, Any] = {
        "id_token_hint": "a.b.c",
        "client_id": "app",
        "post_logout_redirect_uri": "https://app.example/bye?x=1",
    }
    return end_session_url(metadata(end_session_endpoint=endpoint), **{**arguments, **changes})


def _parameters(url: str | None) -> dict[str, str]:
    assert url is not None
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


def test_the_provider_learns_whose_session_ends_and_where_to_go_then() -> None:
    url = _url(state="state-1")
    assert url is not None
    assert url.startswith(f"{ENDPOINT}?id_token_hint=a.b.c&")
    assert _parameters(url) == {
        "id_token_hint": "a.b.c",
        "client_id": "app",
        "post_logout_redirect_uri": "https://app.example/bye?x=1",
        "state": "state-1",
    }


def test_without_an_endpoint_there_is_no_url() -> None:
    assert _url(...) is None


def test_hint_and_state_may_be_missing() -> None:
    assert set(_parameters(_url(id_token_hint=None))) == {"client_id", "post_logout_redirect_uri"}


def test_the_query_of_the_endpoint_is_kept() -> None:
    assert _parameters(_url(f"{ENDPOINT}?tenant=1"))["tenant"] == "1"


def test_a_hint_that_would_make_the_url_too_long_is_left_out() -> None:
    room = MAX_LENGTH - len(str(_url(id_token_hint="")))
    fitting = _url(id_token_hint="h" * room)
    assert fitting is not None
    assert len(fitting) == MAX_LENGTH
    assert "id_token_hint" not in _parameters(_url(id_token_hint="h" * (room + 1)))
