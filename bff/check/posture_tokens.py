"""Tokens for several APIs and stronger logins: RFC 8707, RFC 8693 and RFC 9470 on the client's side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bff.check.posture import Facts, Judgement, Requirement, Standing, met


def _names_resources(facts: Facts) -> bool:
    return facts.settings.resource is not None or any(route.resource is not None for route in facts.settings.routes)


def _exchanges(facts: Facts) -> bool:
    return any(route.exchange for route in facts.settings.routes)


def _steps_up(facts: Facts) -> bool:
    passed_on = {"acr_values", "max_age"} & set(facts.settings.login_params)
    return bool(passed_on) and any(route.token.startswith("user") for route in facts.settings.routes)


def _where(applies: Callable[[Facts], bool], otherwise: str, why: str) -> Callable[[Facts], Judgement]:
    return lambda facts: met(why)(facts) if applies(facts) else (Standing.WAIVED, otherwise)


_NO_RESOURCE: Final = "neither BFF_RESOURCE nor a route names a resource"
_NO_EXCHANGE: Final = "no route exchanges tokens"
_NO_STEP_UP: Final = "no route serves users, or BFF_LOGIN_PARAMS passes neither acr_values nor max_age on"

RESOURCE_REQUIREMENTS: Final = tuple(
    Requirement(identifier, force, section, asks, _where(_names_resources, _NO_RESOURCE, why))
    for identifier, force, section, asks, why in (
        ("RES-1", "must", "2", "A resource is an absolute URI without fragment", "checked at start"),
        ("RES-2", "advice", "2.2", "Named at the login, one of them at each token request",
         "the login names all that routes need; a token request names its route's own"),
        ("RES-3", "advice", "2", "invalid_target is the configuration's fault, no logout",
         "503 and an error in the log for that route alone; sessions stay"),
        ("RES-4", "advice", "2.2", "One token per session and resource, refreshes one after the other",
         "each kept by itself; one lease per session for the refresh token they share"),
    )
)  # fmt: skip

EXCHANGE_REQUIREMENTS: Final = tuple(
    Requirement(identifier, force, section, asks, _where(_exchanges, _NO_EXCHANGE, why))
    for identifier, force, section, asks, why in (
        ("TX-1", "must", "2.1", "A subject token and its type together; no type of an actor without one",
         "always the session's access token and its type; no actor"),
        ("TX-2", "must", "2.2.1", "issued_token_type is read", "an answer that is no access token is refused"),
        ("TX-3", "advice", "2.2.1", "Kept until shortly before it expires",
         "by session, API and scope, in the session's record"),
        ("TX-4", "advice", "2", "It dies with the session", "it is nowhere but in the record, and a logout revokes it"),
        ("TX-5", "advice", "2", "Never the original token instead", "a failed exchange is a refused call"),
    )
)  # fmt: skip

STEP_UP_REQUIREMENTS: Final = tuple(
    Requirement(identifier, force, section, asks, _where(_steps_up, _NO_STEP_UP, why))
    for identifier, force, section, asks, why in (
        ("STEP-1", "should", "4", "An API's demand leads to a login that asks for it",
         "step_up_required, with a login_url that carries acr_values and max_age"),
        ("STEP-2", "advice", "2", "Access tokens are not looked into",
         "acr and auth_time are those of the ID token"),
        ("STEP-3", "advice", "5", "unmet_authentication_requirements ends the attempt", "with a page that says so"),
        ("STEP-4", "advice", "9", "An API cannot prompt for ever",
         "a demand that the login meets already passes to the page as the API's own answer"),
        ("STEP-5", "advice", "4", "What was demanded is verified on return",
         "before the session is replaced; a weaker login leaves it as it is"),
        ("STEP-6", "advice", "4", "No request is repeated on the page's behalf",
         "the page decides whether to call again"),
    )
)  # fmt: skip
