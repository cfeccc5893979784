"""The development provider over real sockets: what the integration tests rely on it for."""

import base64
import hashlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from tests.support.processes import ProviderServer, Server, start_provider, start_timesheets, start_valkey

REDIRECT_URI = "http://127.0.0.1:1/bff/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    with start_provider() as server:
        server.control(client={"client_id": server.client_id, "redirect_uris": [REDIRECT_URI]})
        yield server


@pytest.fixture(scope="module")
def timesheets(provider: ProviderServer) -> Iterator[Server]:
    with start_timesheets(provider) as server:
        yield server


def authorize(provider: ProviderServer, username: str) -> str:
    parameters = {
        "client_id": provider.client_id,
        "redirect_uri": REDIRECT_URI,
        "response_type": "code",
        "scope": "openid profile offline_access read:timesheets approve:timesheets",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "login_hint": username,
    }
    answer = httpx2.get(f"{provider.url}/authorize", params=parameters)
    assert answer.status_code == 303
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


def redeem(provider: ProviderServer, **form: str) -> httpx2.Response:
    credentials = (provider.client_id, provider.client_secret)
    return httpx2.post(f"{provider.url}/token", data=form, auth=credentials, timeout=20.0)


def log_in(provider: ProviderServer, username: str) -> dict[str, str]:
    answer = redeem(
        provider,
        grant_type="authorization_code",
        code=authorize(provider, username),
        redirect_uri=REDIRECT_URI,
        code_verifier=VERIFIER,
    )
    assert answer.status_code == 200
    tokens: dict[str, str] = answer.json()
    return tokens


def test_a_token_of_the_provider_opens_the_timesheets_api_within_its_scope(
    provider: ProviderServer, timesheets: Server
) -> None:
    headers = {"Authorization": f"Bearer {log_in(provider, 'bob')['access_token']}"}
    sheets = httpx2.get(f"{timesheets.url}/timesheets", headers=headers)
    assert {sheet["owner"] for sheet in sheets.json()["timesheets"]} == {"user-bob"}
    refused = httpx2.post(f"{timesheets.url}/timesheets/1/approve", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")


def test_a_key_rotated_out_is_refused_and_the_new_one_found(provider: ProviderServer, timesheets: Server) -> None:
    old = log_in(provider, "alice")["access_token"]
    assert whoami(timesheets, old) == 200
    provider.control(rotate_keys="drop")
    # The API refetches keys for an unknown kid at most every two seconds.
    new = log_in(provider, "alice")["access_token"]
    while whoami(timesheets, new) == 401:
        pass
    assert whoami(timesheets, new) == 200
    assert whoami(timesheets, old) == 401


def test_of_parallel_uses_of_one_refresh_token_one_succeeds_and_the_family_dies(provider: ProviderServer) -> None:
    token = log_in(provider, "carol")["refresh_token"]
    provider.clear_log()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: redeem(provider, grant_type="refresh_token", refresh_token=token), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    winner = next(answer.json() for answer in answers if answer.status_code == 200)
    heir = redeem(provider, grant_type="refresh_token", refresh_token=winner["refresh_token"])
    assert heir.json()["error"] == "invalid_grant"
    counts = provider.log()["counts"]
    assert (counts["refreshes"], counts["refreshes_ok"], counts["refresh_token_reuse"]) == (9, 1, 7)


def test_a_request_on_hold_is_answered_when_it_is_let_go(provider: ProviderServer) -> None:
    token = log_in(provider, "alice")["refresh_token"]
    provider.clear_log()
    provider.disturb("/token", hold=True)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(redeem, provider, grant_type="refresh_token", refresh_token=token)
        while not provider.log()["token_requests"]:
            pass
        assert provider.log()["token_requests"][0]["outcome"] == "pending"
        assert not answer.done()
        provider.undisturb("/token")
        assert answer.result().status_code == 200
    assert provider.log()["token_requests"][0]["outcome"] == "ok"


def test_a_dropped_connection_brings_no_byte_of_an_answer(provider: ProviderServer) -> None:
    token = log_in(provider, "alice")["refresh_token"]
    provider.disturb("/token", drop=True, times=1)
    with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
        redeem(provider, grant_type="refresh_token", refresh_token=token)
    assert redeem(provider, grant_type="refresh_token", refresh_token=token).status_code == 200


def test_an_answer_lost_after_the_fact_leaves_the_refresh_token_spent(provider: ProviderServer) -> None:
    token = log_in(provider, "alice")["refresh_token"]
    provider.disturb("/token", drop=True, after=True, times=1)
    with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
        redeem(provider, grant_type="refresh_token", refresh_token=token)
    assert redeem(provider, grant_type="refresh_token", refresh_token=token).json()["error"] == "invalid_grant"


def test_a_canned_answer_takes_the_place_of_the_true_one(provider: ProviderServer) -> None:
    provider.disturb("/token", status=503, body='{"error":"temporarily_unavailable"}', times=1)
    answer = redeem(provider, grant_type="refresh_token", refresh_token="any")
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")


def test_the_log_tells_tokens_apart_without_showing_them(provider: ProviderServer) -> None:
    provider.clear_log()
    tokens = log_in(provider, "bob")
    report = provider.log()
    assert report["token_requests"][0]["sub"] == "user-bob"
    assert report["token_requests"][0]["client_authentication"] == "client_secret_basic"
    assert tokens["refresh_token"] not in str(report)
    assert tokens["access_token"] not in str(report)
    assert {tokens["refresh_token"], tokens["access_token"], tokens["id_token"]} <= set(provider.secrets())


def test_a_durable_valkey_has_its_data_after_it_was_killed_and_started_again() -> None:
    with start_valkey(durable=True) as valkey:
        assert command(valkey.port, "SET", "a", "1") == b"+OK\r\n"
        valkey.kill()
        with pytest.raises(OSError, match="refused"):
            command(valkey.port, "PING")
        valkey.start()
        assert command(valkey.port, "GET", "a") == b"$1\r\n1\r\n"


def whoami(timesheets: Server, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.get(f"{timesheets.url}/whoami", headers=headers).status_code


def command(port: int, *words: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"{' '.join(words)}\r\n".encode())
        return connection.recv(64)
