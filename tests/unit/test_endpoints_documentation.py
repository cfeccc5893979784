"""`docs/endpoints.md` says what there is: every endpoint with its methods and protection, every error code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bff.app import create_app
from bff.endpoints.routing import Protection
from bff.errors import GatewayError, NoSession, SettingsInvalid
from tests.support.provider_settings import EVERYTHING_ON, provider_settings

PAGE = (Path(__file__).parents[2] / "docs" / "endpoints.md").read_text(encoding="utf-8")
ENDPOINT = re.compile(r"^\| ((?:`[A-Z]+` ?)+) \| `(/[^`]*)` \| `([^`]*)` \| (.*) \|$", re.MULTILINE)
CODE = re.compile(r"^\| `([a-z_]+)` \| ([0-9]{3}) \| (.+) \|$", re.MULTILINE)
PROTECTIONS = {
    Protection.NAVIGATION: "the login flow's own checks",
    Protection.COOKIE_FROM_OWN_ORIGIN: "own origin, with a session cookie",
    Protection.OWN_ORIGIN: "own origin, always",
    Protection.PROVIDER_SIGNATURE: "the provider's signature",
    Protection.PUBLIC: "nothing",
}


def kinds(base: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    for kind in base.__subclasses__():
        yield from kinds(kind)
        if hasattr(kind, "code") and kind is not SettingsInvalid:
            yield kind


def test_every_endpoint_is_documented_with_methods_and_protection_in_the_order_of_the_table() -> None:
    gateway = create_app(provider_settings(**EVERYTHING_ON), clock=lambda: 0.0, random_bytes=lambda size: b"r" * size)
    documented = [
        (re.findall("[A-Z]+", methods), path, name, protection)
        for methods, path, name, protection in ENDPOINT.findall(PAGE)
    ]
    assert documented == [
        (list(endpoint.handlers), endpoint.path, endpoint.name, PROTECTIONS[endpoint.protection])
        for endpoint in gateway.endpoints
    ]


def test_every_error_code_is_documented_once_with_its_status() -> None:
    documented = [(code, int(status)) for code, status, _ in CODE.findall(PAGE)]
    assert len(documented) == len(set(documented))
    assert set(documented) == {(kind.code, kind.status) for kind in kinds() if kind.__module__.startswith("bff.")}


@pytest.mark.parametrize(("code", "words"), [(code, words) for code, _, words in CODE.findall(PAGE)])
def test_what_comes_with_an_error_is_documented(code: str, words: str) -> None:
    same_code = [kind for kind in kinds() if kind.code == code]
    assert ("`login_url`" in words) is any(issubclass(kind, NoSession) for kind in same_code)
    takes_time = any(kind.retry_after is not None or kind.status == 503 for kind in same_code)
    assert ("`Retry-After`" in words) is takes_time
