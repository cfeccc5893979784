"""The timesheets API: whose tokens it takes, and what each scope opens."""

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from joserfc.jwk import KeySet, RSAKey

from bff.demo.timesheets import create_timesheets
from tests.support.provider_client import Clock

ISSUER = "http://127.0.0.1:9000"
AUDIENCE = "https://timesheets.example/api"
ALL_SCOPES = "read:timesheets create:timesheets delete:timesheets approve:timesheets"
KEY = RSAKey.generate_key(2048, {"kid": "good", "alg": "RS256", "use": "sig"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "good"})
NEXT_KEY = RSAKey.generate_key(2048, {"kid": "next", "alg": "RS256", "use": "sig"})
SHEET = {"day": "2026-01-31", "project": "Website", "hours": 2.5}


class Api:
    """The API on a clock of its own and with an issuer that publishes `keys`."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.keys = [KEY]
        self.issuer_status = 200
        self.fetches = 0
        application = create_timesheets(
            ISSUER, AUDIENCE, clock=self.clock, transport=httpx2.MockTransport(self._issuer_answer)
        )
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(application), base_url="http://api")

    def token(self, **changes: Any) -> str:
        """A good access token of alice the manager, with changes; None leaves a claim out."""
        return self.sign(self.claims(**changes))

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(self.clock.now)
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "user-alice",
            "name": "Alice Archer",
            "roles": ["manager"],
            "scope": ALL_SCOPES,
            "iat": now,
            "exp": now + 300,
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def sign(self, claims: dict[str, Any], key: RSAKey = KEY, **header: Any) -> str:
        """A compact JWS of anything, signed with RS256."""
        return with_signature({"alg": "RS256", "kid": key.kid, "typ": "at+jwt", **header}, claims, rs256(key))

    async def call(self, method: str, path: str, token: str | None, **options: Any) -> httpx2.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return await self.http.request(method, path, headers=headers, **options)

    def _issuer_answer(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/jwks":
            self.fetches += 1
            return httpx2.Response(self.issuer_status, json=KeySet(list(self.keys)).as_dict(private=False))
        return httpx2.Response(self.issuer_status, json={"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"})


@pytest.fixture
def api() -> Api:
    return Api()


async def test_a_good_token_is_taken(api: Api) -> None:
    assert (await api.call("GET", "/timesheets", api.token())).status_code == 200
    assert (await api.call("GET", "/timesheets", api.token(aud=["x", AUDIENCE]))).status_code == 200


async def test_without_a_token_the_challenge_names_no_error(api: Api) -> None:
    answer = await api.call("GET", "/timesheets", None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="timesheets"'
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "http://127.0.0.1:9999"},
        {"iss": f"{ISSUER}/"},
        {"iss": None},
        {"aud": "timesheets"},
        {"aud": None},
        {"aud": []},
        {"aud": f"{AUDIENCE}/"},
        {"exp": 1_799_999_994},
        {"exp": None},
        {"exp": "2000000000"},
        {"exp": True},
        {"nbf": 1_800_000_006},
        {"nbf": "soon"},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
    ],
)
async def test_a_token_with_a_wrong_claim_is_refused(api: Api, changes: dict[str, Any]) -> None:
    assert_invalid(await api.call("GET", "/timesheets", api.token(**changes)))


@pytest.mark.parametrize("token_type", ["JWT", "logout+jwt", None, 7])
async def test_a_token_of_another_type_is_refused(api: Api, token_type: object) -> None:
    assert_invalid(await api.call("GET", "/timesheets", api.sign(api.claims(), typ=token_type)))


async def test_a_token_signed_by_another_key_under_the_same_kid_is_refused(api: Api) -> None:
    assert_invalid(await api.call("GET", "/timesheets", api.sign(api.claims(), OTHER_KEY)))


async def test_unsigned_symmetric_and_other_algorithms_are_refused(api: Api) -> None:
    claims, header = api.claims(), {"kid": "good", "typ": "at+jwt"}
    public_text = KEY.as_pem(private=False)
    assert_invalid(await api.call("GET", "/timesheets", with_signature({"alg": "none"} | header, claims, no_signature)))
    symmetric = with_signature({"alg": "HS256"} | header, claims, hs256(public_text))
    assert_invalid(await api.call("GET", "/timesheets", symmetric))
    assert_invalid(await api.call("GET", "/timesheets", with_signature({"alg": "PS256"} | header, claims, ps256(KEY))))


async def test_what_is_no_compact_signed_token_is_refused(api: Api) -> None:
    header, payload, _ = api.token().split(".")
    for token in (f"{header}.{payload}.", f"{header}.{payload}", "x", "a.b.c", "." * 9000, f"{header}..{payload}"):
        assert_invalid(await api.call("GET", "/timesheets", token))


async def test_a_critical_header_parameter_that_is_not_understood_is_refused(api: Api) -> None:
    assert_invalid(await api.call("GET", "/timesheets", api.sign(api.claims(), crit=["x"], x=1)))


async def test_a_key_in_the_tokens_own_header_is_not_used(api: Api) -> None:
    forged = api.sign(api.claims(), OTHER_KEY, jwk=OTHER_KEY.as_dict(private=False))
    assert_invalid(await api.call("GET", "/timesheets", forged))


async def test_a_new_key_of_the_issuer_is_found_and_unknown_keys_do_not_flood_it(api: Api) -> None:
    await api.call("GET", "/timesheets", api.token())
    api.keys = [NEXT_KEY]
    api.clock.now += 10
    assert (await api.call("GET", "/whoami", api.sign(api.claims(), NEXT_KEY))).status_code == 200
    assert api.fetches == 2
    for _ in range(20):
        assert_invalid(await api.call("GET", "/whoami", api.sign(api.claims(), KEY)))
    assert api.fetches == 2


async def test_an_issuer_that_cannot_be_reached_is_no_fault_of_the_token(api: Api) -> None:
    api.issuer_status = 500
    answer = await api.call("GET", "/timesheets", api.token())
    assert (answer.status_code, answer.json()["code"]) == (503, "keys_unavailable")
    assert "retry-after" in answer.headers


@pytest.mark.parametrize(
    "method, path, scope",
    [
        ("GET", "/timesheets", "read:timesheets"),
        ("GET", "/timesheets/1", "read:timesheets"),
        ("POST", "/timesheets", "create:timesheets"),
        ("DELETE", "/timesheets/1", "delete:timesheets"),
        ("POST", "/timesheets/1/approve", "approve:timesheets"),
    ],
)
async def test_every_operation_needs_its_own_scope(api: Api, method: str, path: str, scope: str) -> None:
    body = {"json": SHEET} if path == "/timesheets" and method == "POST" else {}
    without = " ".join(name for name in ALL_SCOPES.split() if name != scope)
    refused = await api.call(method, path, api.token(scope=without), **body)
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    challenge = refused.headers["www-authenticate"]
    assert challenge == f'Bearer realm="timesheets", error="insufficient_scope", scope="{scope}"'
    assert (await api.call(method, path, api.token(scope=scope), **body)).is_success


async def test_employees_see_their_own_timesheets_and_managers_all(api: Api) -> None:
    bob = api.token(sub="user-bob", roles=["employee"])
    own = (await api.call("GET", "/timesheets", bob)).json()["timesheets"]
    assert {sheet["owner"] for sheet in own} == {"user-bob"}
    everyones = (await api.call("GET", "/timesheets", api.token())).json()["timesheets"]
    assert {sheet["owner"] for sheet in everyones} == {"user-alice", "user-bob", "user-carol"}
    [carols, *_] = [sheet["id"] for sheet in everyones if sheet["owner"] == "user-carol"]
    assert (await api.call("GET", f"/timesheets/{carols}", bob)).status_code == 404
    assert (await api.call("DELETE", f"/timesheets/{carols}", bob)).status_code == 404


async def test_nobody_approves_his_own_timesheet_and_none_is_approved_twice(api: Api) -> None:
    added = await api.call("POST", "/timesheets", api.token(), json=SHEET)
    assert (added.status_code, added.headers["location"]) == (201, f"timesheets/{added.json()['id']}")
    own = await api.call("POST", f"/timesheets/{added.json()['id']}/approve", api.token())
    assert (own.status_code, own.json()["code"]) == (403, "own_timesheet")
    assert (await api.call("POST", "/timesheets/1/approve", api.token())).json()["status"] == "approved"
    assert (await api.call("POST", "/timesheets/1/approve", api.token())).status_code == 409
    assert (await api.call("DELETE", "/timesheets/1", api.token())).status_code == 409


async def test_a_deleted_timesheet_is_gone(api: Api) -> None:
    assert (await api.call("DELETE", "/timesheets/1", api.token())).status_code == 204
    assert (await api.call("GET", "/timesheets/1", api.token())).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"hours": 0},
        {"hours": 24.5},
        {"hours": "2"},
        {"hours": True},
        {"hours": 1e999},
        {"project": " "},
        {"project": "x" * 81},
        {"day": "31.01.2026"},
        {"day": None},
        {"note": 1},
        {"owner": "user-bob"},
    ],
)
async def test_what_is_no_timesheet_is_refused(api: Api, change: dict[str, Any]) -> None:
    content = json.dumps(SHEET | change)
    answer = await api.http.post(
        "/timesheets",
        content=content,
        headers={"Authorization": f"Bearer {api.token()}", "Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_timesheet")


async def test_a_body_that_is_not_json_is_refused(api: Api) -> None:
    for content in ("{", "[" * 10_000, "\xff"):
        headers = {"Authorization": f"Bearer {api.token()}", "Content-Type": "application/json"}
        answer = await api.http.post("/timesheets", content=content, headers=headers)
        assert answer.status_code == 400
    form = await api.call("POST", "/timesheets", api.token(), data={"day": "2026-01-31"})
    assert form.status_code == 415
    large = await api.call("POST", "/timesheets", api.token(), json={"note": "x" * 20_000})
    assert large.status_code == 413


async def test_whoami_shows_claims_and_never_the_token(api: Api) -> None:
    token = api.token()
    answer = await api.call("GET", "/whoami", token)
    assert answer.json()["sub"] == "user-alice"
    assert token.rpartition(".")[2] not in answer.text


async def test_unknown_paths_and_methods_are_problem_details_too(api: Api) -> None:
    missing = await api.call("GET", "/nothing", api.token())
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    wrong = await api.call("PUT", "/timesheets", api.token())
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")


def with_signature(header: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    parts = [json.dumps(part).encode() for part in (header, claims)]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    return (signed + b"." + base64.urlsafe_b64encode(sign(signed)).rstrip(b"=")).decode()


def private_key(key: RSAKey) -> RSAPrivateKey:
    assert key.private_key is not None
    return key.private_key


def rs256(key: RSAKey) -> Callable[[bytes], bytes]:
    return lambda data: private_key(key).sign(data, padding.PKCS1v15(), hashes.SHA256())


def ps256(key: RSAKey) -> Callable[[bytes], bytes]:
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    return lambda data: private_key(key).sign(data, pss, hashes.SHA256())


def hs256(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda data: hmac.digest(secret, data, "sha256")


def no_signature(data: bytes) -> bytes:
    return b""


def assert_invalid(answer: httpx2.Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_approvals_can_need_a_confirmed_login() -> None:
    api = Api()
    demanding = create_timesheets(
        ISSUER,
        AUDIENCE,
        approve_acr="gold",
        clock=api.clock,
        transport=httpx2.MockTransport(api._issuer_answer),
    )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(demanding), base_url="http://api") as http:
        for acr, expected in ((None, 401), ("silver", 401), ("gold", 404)):
            headers = {"Authorization": f"Bearer {api.token(acr=acr)}"}
            answer = await http.post("/timesheets/999/approve", headers=headers)
            assert answer.status_code == expected
        denied = await http.post("/timesheets/999/approve", headers={"Authorization": f"Bearer {api.token()}"})
        assert denied.headers["www-authenticate"] == (
            'Bearer realm="timesheets", error="insufficient_user_authentication", acr_values="gold"'
        )
