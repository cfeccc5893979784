"""What is asked of the provider by a check: the requests of operation, with nothing that counts."""

from __future__ import annotations

import random
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import httpx2
import pytest

from bff.errors import ClientRefused, InvalidProviderAnswer, LoginFailed
from bff.provider.inspection import ProviderInspection
from tests.support.provider_double import ProviderDouble, answer
from tests.support.provider_settings import provider_settings
from tests.support.signed_tokens import ISSUER, NOW, key_for


def inspection(double: ProviderDouble, clock: Callable[[], float] = lambda: NOW, **settings: str) -> ProviderInspection:
    return ProviderInspection(
        provider_settings(**settings), double.transport, clock=clock, random_bytes=random.Random(1).randbytes
    )


def double(**changes: Any) -> ProviderDouble:
    return ProviderDouble(clock=lambda: NOW, **changes)


async def test_metadata_and_keys_are_those_the_gateway_reads() -> None:
    found = inspection(double())
    assert (await found.metadata()).issuer == ISSUER
    assert len(await found.keys()) == 1
    await found.close()


async def test_a_made_up_code_is_presented_as_the_client_would() -> None:
    provider = double(overrides={"/token": lambda request: answer(400, error="invalid_grant")})
    found = inspection(provider, resource="https://api.example.com")
    assert await found.try_client(await found.metadata())
    (form,) = provider.forms("/token")
    assert form.keys() == {"grant_type", "code", "code_verifier", "redirect_uri", "resource"}
    assert form["grant_type"] == "authorization_code"
    assert form["redirect_uri"] == "https://app.example.com/bff/callback"
    assert provider.requests[-1].headers["authorization"].startswith("Basic ")


async def test_no_two_codes_are_the_same() -> None:
    provider = double(overrides={"/token": lambda request: answer(400, error="invalid_grant")})
    found = inspection(provider)
    for _ in range(2):
        await found.try_client(await found.metadata())
    first, second = provider.forms("/token")
    assert first["code"] != second["code"]


async def test_a_client_with_a_key_signs() -> None:
    client_key = key_for("ES256").as_pem(private=True).decode()
    provider = double(overrides={"/token": lambda request: answer(400, error="invalid_grant")})
    found = inspection(provider, client_auth="private_key_jwt", client_key=client_key)
    assert await found.try_client(await found.metadata())
    assert "client_assertion" in provider.forms("/token")[0]


async def test_a_refused_client_is_told_from_a_refused_code() -> None:
    found = inspection(double(overrides={"/token": lambda request: answer(401, error="invalid_client")}))
    with pytest.raises(ClientRefused, match=r"token\.invalid_client"):
        await found.try_client(await found.metadata())


async def test_tokens_for_a_made_up_code_are_noticed() -> None:
    found = inspection(double())
    assert not await found.try_client(await found.metadata())


async def test_a_request_is_pushed_as_for_a_login() -> None:
    provider = double(metadata={"pushed_authorization_request_endpoint": f"{ISSUER}/par"})
    await inspection(provider).try_pushed_request()
    (form,) = provider.forms("/par")
    assert form["redirect_uri"] == "https://app.example.com/bff/callback"
    assert form["code_challenge_method"] == "S256"
    provider.overrides["/par"] = lambda request: answer(400, error="made_up")
    with pytest.raises(LoginFailed):
        await inspection(provider).try_pushed_request()


async def test_the_issuer_that_is_stated_is_read_however_wrong() -> None:
    found = inspection(double(metadata={"issuer": f"{ISSUER}/"}))
    with pytest.raises(InvalidProviderAnswer, match=r"metadata\.issuer"):
        await found.metadata()
    assert await found.stated_issuer() == f"{ISSUER}/"


@pytest.mark.parametrize("content", [b"no JSON", b"{}", b'{"issuer": 7}', b'{"issuer": "a", "issuer": "b"}'], ids=repr)
async def test_no_issuer_is_made_up(content: bytes) -> None:
    path = "/.well-known/openid-configuration"
    found = inspection(double(overrides={path: lambda request: httpx2.Response(200, content=content)}))
    assert await found.stated_issuer() is None


async def test_both_places_of_plain_oauth_are_looked_at() -> None:
    provider = double(overrides={"/.well-known/oauth-authorization-server": lambda request: httpx2.Response(404)})
    assert await inspection(provider, scopes="profile").stated_issuer() == ISSUER


async def offset_told(headers: dict[str, str]) -> float | None:
    path = "/.well-known/openid-configuration"
    provider = double(overrides={path: lambda request: httpx2.Response(404, headers=headers)})
    found = inspection(provider)
    assert await found.stated_issuer() is None
    return found.clock_offset


@pytest.mark.parametrize(
    "headers,offset",
    [
        ({"date": formatdate(NOW, usegmt=True)}, 0.5),
        ({"date": formatdate(NOW + 100, usegmt=True)}, 100.5),
        ({"date": formatdate(NOW - 100, usegmt=True), "age": "100"}, 0.5),
        ({"date": formatdate(NOW - 100, usegmt=True), "age": "long"}, -99.5),
        ({}, None),
        ({"date": "yesterday"}, None),
    ],
)
async def test_the_providers_clock_is_read_from_its_answers(headers: dict[str, str], offset: float | None) -> None:
    assert await offset_told(headers) == offset


async def test_the_quickest_answer_tells_the_time_best() -> None:
    times = iter([NOW, NOW + 4, NOW + 10, NOW + 10.2, NOW + 20, NOW + 23, NOW + 30, NOW + 29])
    dates = iter([formatdate(moment, usegmt=True) for moment in (NOW, NOW + 10, NOW + 90, NOW + 500)])
    path = "/.well-known/openid-configuration"
    provider = double(overrides={path: lambda request: httpx2.Response(404, headers={"date": next(dates)})})
    found = inspection(provider, clock=lambda: next(times))
    for _ in range(4):
        await found.stated_issuer()
    assert found.clock_offset == pytest.approx(0.4)
