"""Authorization requests: what a client may ask, and what is refused before anyone logs in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from bff.demo.provider.authentication import wanted_context
from bff.demo.provider.clients import Client
from bff.demo.provider.errors import PageError
from bff.demo.provider.state import Provider
from bff.demo.users import SUPPORTED_SCOPES

CODE_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
RESPONSE_MODES = ("query", "form_post")
PROMPTS = frozenset({"none", "login", "consent", "select_account"})


@dataclass(frozen=True)
class AuthorizationRequest:
    """A request that passed every check; `max_age` in seconds, `context` the authentication context to reach."""

    parameters: Mapping[str, str]
    client: Client
    redirect_uri: str
    scope: tuple[str, ...]
    code_challenge: str
    audience: str
    resources: tuple[str, ...]
    context: str
    prompts: frozenset[str]
    max_age: int | None

    @property
    def login_hint(self) -> str:
        """Whom the client expects to log in, or nothing."""
        return self.parameters.get("login_hint", "")


class AuthorizationRefusedError(Exception):
    """An error answer that goes back to the client (RFC 6749, section 4.1.2.1)."""

    def __init__(self, parameters: Mapping[str, str], error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.parameters = parameters
        self.answer = {"error": error, "error_description": description}
        if "state" in parameters:
            self.answer["state"] = parameters["state"]


def parse_authorization_request(provider: Provider, parameters: Mapping[str, str]) -> AuthorizationRequest:
    """The request in `parameters` (OpenID Connect Core 1.0, section 3.1.2.1).

    Raises `PageError` while the redirect URI is not trusted, `AuthorizationRefusedError` after.
    """
    client = provider.clients.get(parameters.get("client_id", ""))
    if client is None:
        raise PageError("The application is unknown here.")
    redirect_uri = parameters.get("redirect_uri")
    if redirect_uri not in client.redirect_uris:
        raise PageError("The application wants you sent to an address that is not registered.")
    _refuse_unsupported(parameters)
    return AuthorizationRequest(
        parameters=parameters,
        client=client,
        redirect_uri=redirect_uri,
        scope=_scope(parameters),
        code_challenge=_code_challenge(parameters),
        audience=_audience(provider, parameters),
        resources=tuple(parameters.get("resource", "").split()),
        context=wanted_context(parameters.get("acr_values", "")),
        prompts=_prompts(parameters),
        max_age=_max_age(parameters),
    )


def redirect_location(redirect_uri: str, answer: Mapping[str, str]) -> str:
    """The redirect URI with the answer's parameters appended to its query."""
    separator = "&" if urlsplit(redirect_uri).query else "?"
    return f"{redirect_uri}{separator}{urlencode(answer)}"


def _refuse_unsupported(parameters: Mapping[str, str]) -> None:
    for name in ("request", "request_uri"):
        if name in parameters:
            raise AuthorizationRefusedError(parameters, f"{name}_not_supported", f"{name} is not supported.")
    if parameters.get("response_type") != "code":
        raise AuthorizationRefusedError(parameters, "unsupported_response_type", "Only code is supported.")
    if parameters.get("response_mode", "query") not in RESPONSE_MODES:
        raise AuthorizationRefusedError(parameters, "invalid_request", "The response mode is not supported.")


def _scope(parameters: Mapping[str, str]) -> tuple[str, ...]:
    scope = tuple(dict.fromkeys(parameters.get("scope", "").split()))
    known = tuple(name for name in scope if name in SUPPORTED_SCOPES)
    if not known:
        raise AuthorizationRefusedError(parameters, "invalid_scope", "Nothing that is known here was asked for.")
    return known


def _code_challenge(parameters: Mapping[str, str]) -> str:
    """PKCE with S256 is not optional (RFC 9700, section 2.1.1)."""
    challenge = parameters.get("code_challenge", "")
    if parameters.get("code_challenge_method") != "S256" or not CODE_CHALLENGE.fullmatch(challenge):
        raise AuthorizationRefusedError(parameters, "invalid_request", "PKCE with S256 is required.")
    return challenge


def _audience(provider: Provider, parameters: Mapping[str, str]) -> str:
    """The API of the access token that the code is redeemed for, unless that names another of those asked for."""
    asked = parameters.get("resource", "").split() or [parameters.get("audience") or provider.audiences[0]]
    if not set(asked) <= set(provider.audiences):
        raise AuthorizationRefusedError(parameters, "invalid_target", "The resource is unknown.")
    return asked[0]


def _prompts(parameters: Mapping[str, str]) -> frozenset[str]:
    prompts = frozenset(parameters.get("prompt", "").split())
    if not prompts <= PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise AuthorizationRefusedError(parameters, "invalid_request", "prompt is not valid.")
    return prompts


def _max_age(parameters: Mapping[str, str]) -> int | None:
    value = parameters.get("max_age")
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise AuthorizationRefusedError(parameters, "invalid_request", "max_age is not a number of seconds.")
    return int(value)
