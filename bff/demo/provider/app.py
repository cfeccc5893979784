"""The provider as one ASGI application: its route table, its metadata, its userinfo."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2
from joserfc.errors import JoseError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from bff.demo.provider.authentication import CONTEXTS
from bff.demo.provider.authorization import AuthorizationEndpoint, new_form_key
from bff.demo.provider.authorization_request import RESPONSE_MODES
from bff.demo.provider.clients import ASSERTION_ALGORITHMS, AUTHENTICATION_METHODS, Client
from bff.demo.provider.controls import Controls
from bff.demo.provider.logout import LogoutEndpoint
from bff.demo.provider.pages import Pages
from bff.demo.provider.pushed_requests import PushedRequests
from bff.demo.provider.signing import ALGORITHM
from bff.demo.provider.state import Policy, Provider
from bff.demo.provider.token_claims import ACCESS_TOKEN_TYPE
from bff.demo.provider.tokens import TOKEN_EXCHANGE, TokenEndpoint
from bff.demo.users import SUPPORTED_SCOPES, USERS, User


def create_provider(
    issuer: str,
    clients: list[Client],
    *,
    audience: str | tuple[str, ...] = "https://timesheets.example/api",
    users: Mapping[str, User] = USERS,
    policy: Policy | None = None,
    test_controls: bool = False,
    clock: Callable[[], float] = time.time,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> ASGIApp:
    """The provider at `issuer` for `clients`.

    `audience` names the APIs that access tokens may be for, the default first; `test_controls` mounts the
    controls only tests may have; `clock` gives seconds since the epoch; `transport` sends the logout tokens.
    """
    provider = Provider(
        issuer=issuer,
        clients={client.client_id: client for client in clients},
        users=users,
        audiences=(audience,) if isinstance(audience, str) else audience,
        policy=policy or Policy(),
        clock=clock,
        http=httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False),
    )
    application = _application(provider)
    return Controls(provider, application) if test_controls else application


def _application(provider: Provider) -> Starlette:
    prefix = urlsplit(provider.issuer).path.rstrip("/")
    pages = Pages(provider.users, provider.clients, prefix)
    form_key = new_form_key()
    pushed = PushedRequests(provider)
    authorization = AuthorizationEndpoint(provider, pages, pushed, form_key)
    tokens = TokenEndpoint(provider)
    logout = LogoutEndpoint(provider, pages, form_key)
    documents = Documents(provider)
    routes = [
        Route("/.well-known/openid-configuration", documents.metadata),
        Route("/jwks", documents.keys),
        Route("/authorize", authorization.authorize, methods=["GET", "POST"]),
        Route("/login", authorization.log_in, methods=["POST"]),
        Route("/confirm", authorization.confirm, methods=["POST"]),
        Route("/consent", authorization.consent, methods=["POST"]),
        Route("/par", pushed.push, methods=["POST"]),
        Route("/token", tokens.token, methods=["POST"]),
        Route("/revoke", tokens.revoke, methods=["POST"]),
        Route("/userinfo", documents.userinfo, methods=["GET", "POST"]),
        Route("/logout", logout.end_session, methods=["GET", "POST"]),
        Route("/logout/confirm", logout.confirm, methods=["POST"]),
        Route("/pages.css", pages.style),
    ]

    @asynccontextmanager
    async def lifespan(application: Starlette) -> AsyncIterator[None]:
        yield
        await provider.http.aclose()

    return Starlette(routes=[Mount(prefix, routes=routes)] if prefix else routes, lifespan=lifespan)


class Documents:
    """What the provider publishes about itself and, to whom has a token, about a user."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def metadata(self, request: Request) -> Response:
        """GET /.well-known/openid-configuration (OpenID Connect Discovery 1.0, section 3)."""
        return JSONResponse(provider_metadata(self._provider))

    async def keys(self, request: Request) -> Response:
        """GET /jwks."""
        return JSONResponse(self._provider.keys.published())

    async def userinfo(self, request: Request) -> Response:
        """GET or POST /userinfo (OpenID Connect Core 1.0, section 5.3)."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        try:
            claims = self._provider.keys.verify(token, token_type=ACCESS_TOKEN_TYPE)
        except (JoseError, ValueError):
            claims = {}
        grant = self._provider.grants.grant_of_access_token(str(claims.get("jti")))
        if grant is None or claims["exp"] <= self._provider.clock():
            return Response(status_code=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        scope = claims["scope"].split()
        if "openid" not in scope:
            return Response(status_code=403, headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'})
        return JSONResponse(grant.user.claims(scope), headers={"Cache-Control": "no-store"})


def provider_metadata(provider: Provider) -> dict[str, Any]:
    """The discovery document's members."""
    return _pushed_request_metadata(provider) | {
        "issuer": provider.issuer,
        "authorization_endpoint": provider.endpoint("authorize"),
        "token_endpoint": provider.endpoint("token"),
        "userinfo_endpoint": provider.endpoint("userinfo"),
        "jwks_uri": provider.endpoint("jwks"),
        "revocation_endpoint": provider.endpoint("revoke"),
        "end_session_endpoint": provider.endpoint("logout"),
        "scopes_supported": list(SUPPORTED_SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials", TOKEN_EXCHANGE],
        "acr_values_supported": list(CONTEXTS),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "token_endpoint_auth_methods_supported": list(AUTHENTICATION_METHODS),
        "token_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": list(AUTHENTICATION_METHODS),
        "revocation_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": [
            *("sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "sid", "acr"),
            *("name", "given_name", "family_name", "preferred_username", "locale", "email", "email_verified"),
        ],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }


def _pushed_request_metadata(provider: Provider) -> dict[str, Any]:
    """RFC 9126, section 5."""
    mode = provider.policy.pushed_requests
    if mode == "off":
        return {}
    return {
        "pushed_authorization_request_endpoint": provider.endpoint("par"),
        "require_pushed_authorization_requests": mode == "require",
    }
