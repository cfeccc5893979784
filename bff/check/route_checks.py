"""What routes ask of the provider: grants, scopes, authentication contexts, and the gateway's own tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final

from bff.check.findings import Finding, degraded, good, note, shown
from bff.errors import ClientRefused, InvalidProviderAnswer, ProviderUnavailable
from bff.oauth.metadata import ProviderMetadata
from bff.oauth.token_response import TOKEN_EXCHANGE
from bff.settings import Route, Settings
from bff.settings.token_target import TokenTarget

TryClientToken = Callable[[TokenTarget], Awaitable[object]]

_VARIABLE: Final = "BFF_ROUTES"
_DEFAULT_GRANTS: Final = ("authorization_code", "implicit")
"""What a provider that lists none offers (RFC 8414 section 2); few mean it."""


def offered_to_routes(settings: Settings, metadata: ProviderMetadata) -> list[Finding]:
    """Return what the metadata say of what each route needs."""
    return [finding for route in settings.routes for finding in _route(route, settings, metadata)]


async def client_tokens(routes: Iterable[Route], try_client_token: TryClientToken) -> list[Finding]:
    """Return whether the provider gives the gateway's own token for each API; each is asked for once."""
    targets: dict[str, tuple[TokenTarget, list[str]]] = {}
    for route in routes:
        if route.client_target is not None:
            targets.setdefault(route.client_target.name, (route.client_target, []))[1].append(route.prefix)
    return list(
        await asyncio.gather(
            *(_client_token(target, ", ".join(prefixes), try_client_token) for target, prefixes in targets.values())
        )
    )


def _route(route: Route, settings: Settings, metadata: ProviderMetadata) -> Iterator[Finding]:
    grants = {"client_credentials"} if route.client_target is not None else set()
    if route.exchange:
        grants.add(TOKEN_EXCHANGE)
    elif route.token.startswith("user") and route.names_target:
        grants.add("refresh_token")
    if grants:
        yield _grants(route, sorted(grants), metadata)
    if "refresh_token" in grants:
        yield from _refresh(route, settings)
    if route.acr_values:
        yield _contexts(route, metadata)


def _grants(route: Route, needed: list[str], metadata: ProviderMetadata) -> Finding:
    where, listed = ("route.grant", _VARIABLE), metadata.grant_types_supported
    missing = [grant for grant in needed if grant not in (_DEFAULT_GRANTS if listed is None else listed)]
    if not missing:
        return good(*where, f"The provider lists {', '.join(needed)}", subject=route.prefix)
    names = ", ".join(missing)
    if listed is None:
        return note(
            *(*where, f"The metadata list no grants; this route needs {names}"),
            "See whether calls of this route work",
            subject=route.prefix,
        )
    return degraded(
        *(*where, f"The provider does not list {names}, which this route needs"),
        "Allow the grant at the provider, or give the route another token",
        subject=route.prefix,
    )


def _refresh(route: Route, settings: Settings) -> Iterator[Finding]:
    if "offline_access" not in settings.scopes:
        yield note(
            *("route.refresh_token", "BFF_SCOPES", "This route's token is asked for with the session's refresh token"),
            "Add offline_access to BFF_SCOPES, unless this provider gives refresh tokens unasked",
            subject=route.prefix,
        )
    beyond = [scope for scope in route.scope if scope not in settings.scopes]
    if beyond:
        yield note(
            *(
                "route.scope",
                "BFF_SCOPES",
                f"This route asks for {', '.join(beyond)}, which the login does not",
            ),
            "Add it to BFF_SCOPES, unless this provider knows it to be granted already, as Entra ID and Auth0 do",
            subject=route.prefix,
        )


def _contexts(route: Route, metadata: ProviderMetadata) -> Finding:
    where, listed = ("route.acr", _VARIABLE), metadata.acr_values_supported
    if listed is None:
        return note(
            *(*where, "The metadata do not list authentication contexts"),
            "Step up once, and see that it ends at the page again",
            subject=route.prefix,
        )
    reachable = [name for name in route.acr_values if name in listed]
    if not reachable:
        return degraded(
            *(*where, f"The provider lists none of {', '.join(route.acr_values)}"),
            f"Name one of {shown(', '.join(listed))}",
            subject=route.prefix,
        )
    return good(*where, f"The provider lists {', '.join(reachable)}", subject=route.prefix)


async def _client_token(target: TokenTarget, prefixes: str, try_client_token: TryClientToken) -> Finding:
    where = ("route.client_token", _VARIABLE)
    try:
        await try_client_token(target)
    except ClientRefused as error:
        return degraded(
            *(*where, f"The provider refused the gateway's own token: {error.reason.partition('.')[2]}"),
            "Allow this client client_credentials for the API and the scope, or correct resource, audience and scope",
            subject=prefixes,
        )
    except InvalidProviderAnswer as error:
        return degraded(
            *(*where, f"The token is not the one asked for, or cannot be used ({error.reason})"),
            "Correct resource, audience and scope; expect_audience names an audience that is written another way",
            subject=prefixes,
        )
    except ProviderUnavailable as error:
        return degraded(
            *(*where, f"The token could not be asked for ({error.reason})"),
            "See whether the provider answers, and try again",
            subject=prefixes,
        )
    return good(*where, "The provider gave the gateway a token of its own", subject=prefixes)
