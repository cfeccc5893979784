"""What routes need of the provider, from its metadata, and the gateway's own tokens asked for once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bff.check.findings import Level
from bff.check.route_checks import client_tokens, offered_to_routes
from bff.errors import ClientRefused, InvalidProviderAnswer, ProviderUnavailable
from bff.settings import Settings
from bff.settings.token_target import TokenTarget
from tests.support.provider_settings import provider_settings
from tests.unit.check.facts import by_id, full_metadata

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ALL = {
    "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials", EXCHANGE],
    "acr_values_supported": ["silver", "gold"],
}


def settings_with(*routes: dict[str, Any], **variables: str) -> Settings:
    tables = [{"prefix": f"/api{n}", "upstream": "https://api.example", **route} for n, route in enumerate(routes)]
    return provider_settings(routes=json.dumps(tables), **variables)


@pytest.mark.parametrize(
    ("route", "changes", "found", "level", "words"),
    [
        ({"token": "client"}, {}, "route.grant", Level.GOOD, "lists client_credentials"),
        (
            {"token": "client"}, {"grant_types_supported": ["authorization_code"]}, "route.grant", Level.DEGRADED,
            "does not list client_credentials",
        ),
        ({"token": "client"}, {"grant_types_supported": ...}, "route.grant", Level.NOTE, "list no grants"),
        ({"exchange": True, "audience": "a"}, {}, "route.grant", Level.GOOD, "token-exchange"),
        ({"resource": "https://api.example"}, {}, "route.grant", Level.GOOD, "lists refresh_token"),
        ({"acr_values": ["gold", "other"]}, {}, "route.acr", Level.GOOD, "lists gold"),
        ({"acr_values": "other"}, {}, "route.acr", Level.DEGRADED, "none of other"),
        ({"acr_values": "gold"}, {"acr_values_supported": ...}, "route.acr", Level.NOTE, "do not list"),
    ],
)  # fmt: skip
def test_what_a_route_needs_is_looked_for_in_the_metadata(
    route: dict[str, Any], changes: dict[str, Any], found: str, level: Level, words: str
) -> None:
    finding = by_id(offered_to_routes(settings_with(route), full_metadata(**{**ALL, **changes})))[found]
    assert (finding.level, finding.subject) == (level, "/api0")
    assert words in finding.seen


def test_a_scope_that_the_login_does_not_ask_for_is_noted() -> None:
    findings = by_id(offered_to_routes(settings_with({"scope": "openid read"}), full_metadata(**ALL)))
    assert "asks for read, which the login does not" in findings["route.scope"].seen


def test_a_session_without_a_refresh_token_gets_no_token_for_another_api() -> None:
    settings = settings_with({"resource": "https://api.example"}, scopes="openid")
    assert by_id(offered_to_routes(settings, full_metadata(**ALL)))["route.refresh_token"].level is Level.NOTE


@pytest.mark.parametrize("route", [{}, {"token": "none"}, {"token": "user-or-none"}, {"max_age": 60}])
def test_a_route_with_the_logins_token_needs_nothing_more(route: dict[str, Any]) -> None:
    assert offered_to_routes(settings_with(route), full_metadata(**ALL)) == []


async def test_each_token_of_the_gateways_own_is_asked_for_once() -> None:
    asked: list[TokenTarget] = []

    async def ask(target: TokenTarget) -> None:
        asked.append(target)

    settings = settings_with(
        {"token": "client"}, {"token": "user-or-client"}, {"token": "client", "scope": "a"}, {"scope": "b"}
    )
    findings = await client_tokens(settings.routes, ask)
    assert [(finding.level, finding.subject) for finding in findings] == [
        (Level.GOOD, "/api0, /api1"),
        (Level.GOOD, "/api2"),
    ]
    assert asked == [TokenTarget(), TokenTarget(scope=("a",))]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ClientRefused("token.invalid_target"), "refused the gateway's own token: invalid_target"),
        (InvalidProviderAnswer("token.audience"), "not the one asked for"),
        (ProviderUnavailable("provider.timeout"), "could not be asked for"),
    ],
)
async def test_a_token_that_cannot_be_had_is_said_with_its_route(error: Exception, words: str) -> None:
    async def refuse(target: TokenTarget) -> None:
        raise error

    (finding,) = await client_tokens(settings_with({"token": "client"}).routes, refuse)
    assert finding.level is Level.DEGRADED
    assert words in finding.seen
