"""A gateway whose calls carry its own tokens only, at an authorization server that logs nobody in."""

from __future__ import annotations

import contextlib
import json
import secrets
from typing import Any

import pytest

from bff.errors import InvalidProviderAnswer
from bff.oauth.metadata import parse_metadata
from bff.provider import Provider
from bff.provider.configuration import configuration_fault
from bff.settings import Settings, load_settings
from tests.support.provider_double import ProviderDouble
from tests.support.signed_tokens import CLIENT_ID, ISSUER
from tests.support.virtual_time import clock, virtual_time
from tests.unit.oauth.provider_documents import metadata_document


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


SERVER: dict[str, Any] = {"response_types_supported": [], "grant_types_supported": ["client_credentials"]}


def settings(*policies: str) -> Settings:
    """Return settings of a plain OAuth client with a route for each policy."""
    routes = [
        {"prefix": f"/{number}", "upstream": "https://api.example", "token": policy}
        for number, policy in enumerate(policies)
    ]
    return load_settings(
        {
            "BFF_PUBLIC_URL": "https://app.example.com",
            "BFF_ISSUER": ISSUER,
            "BFF_CLIENT_ID": CLIENT_ID,
            "BFF_CLIENT_SECRET": "client-secret-of-the-tests",
            "BFF_SCOPES": "accounts",
            "BFF_PAR": "require",
            "BFF_ROUTES": json.dumps(routes),
        }
    )


@pytest.mark.parametrize(
    ("policies", "is_alone"),
    [
        (("client",), True),
        (("client", "none"), True),
        (("none",), False),
        (("client", "user"), False),
        (("user-or-client",), False),
        (("user-or-none", "client"), False),
    ],
)
def test_nobody_has_to_log_in_where_all_tokens_are_the_clients(policies: tuple[str, ...], is_alone: bool) -> None:
    assert settings(*policies).is_client_alone is is_alone


def test_a_server_that_knows_no_logins_will_do_then() -> None:
    document = metadata_document(**SERVER)
    with pytest.raises(InvalidProviderAnswer):
        parse_metadata(document, issuer=ISSUER, openid=False)
    metadata = parse_metadata(document, issuer=ISSUER, openid=False, logins=False)
    assert configuration_fault(settings("client"), metadata) is None
    fault = configuration_fault(settings("user"), metadata)
    assert fault is not None
    assert fault.reason == "par.no_endpoint"


@pytest.mark.parametrize(("policy", "reason"), [("client", None), ("user", "metadata.response_types_supported")])
async def test_the_gateway_is_ready_there_if_nobody_has_to_log_in(policy: str, reason: str | None) -> None:
    double = ProviderDouble(clock=clock)
    double.metadata |= SERVER
    provider = Provider(settings(policy), double.transport, clock=clock, random_bytes=secrets.token_bytes)
    with contextlib.suppress(InvalidProviderAnswer):
        await provider.metadata()
    assert provider.not_ready == reason
    await provider.close()
