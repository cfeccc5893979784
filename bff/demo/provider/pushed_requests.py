"""Pushed authorization requests (RFC 9126)."""

import secrets
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bff.demo.provider.authorization_request import AuthorizationRefusedError, parse_authorization_request
from bff.demo.provider.errors import OAuthError, PageError
from bff.demo.provider.forms import form_parameters
from bff.demo.provider.state import Provider
from bff.demo.provider.tokens import NO_STORE, error_response

REQUEST_URI = "urn:ietf:params:oauth:request_uri:"
LIFETIME = 60
CLIENT_PARAMETERS = frozenset({"client_secret", "client_assertion", "client_assertion_type"})


class PushedRequests:
    """Takes authorization requests from authenticated clients, and gives each back once."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._pushed: dict[str, tuple[float, dict[str, str]]] = {}

    async def push(self, request: Request) -> Response:
        """POST /par."""
        provider = self._provider
        try:
            form = await form_parameters(request)
            authorization = request.headers.get("authorization")
            client = provider.authentication.authenticate(authorization, form, provider.clock())
            kept = {name: value for name, value in form.items() if name not in CLIENT_PARAMETERS}
            parameters = kept | {"client_id": client.client_id}
            parse_authorization_request(provider, parameters)
        except OAuthError as fault:
            return error_response(fault)
        except PageError as fault:
            return error_response(OAuthError("invalid_request", str(fault)))
        except AuthorizationRefusedError as refusal:
            return error_response(OAuthError(refusal.answer["error"], refusal.answer["error_description"]))
        request_uri = f"{REQUEST_URI}{secrets.token_urlsafe(24)}"
        self._pushed[request_uri] = (provider.clock() + LIFETIME, parameters)
        return JSONResponse({"request_uri": request_uri, "expires_in": LIFETIME}, 201, NO_STORE)

    def resolve(self, parameters: Mapping[str, str]) -> Mapping[str, str]:
        """The parameters to go by: those that `request_uri` stands for, or those given.

        Raises `PageError` when the request URI is spent, foreign or expired, or when only pushed ones are accepted.
        """
        request_uri = parameters.get("request_uri", "")
        if not request_uri.startswith(REQUEST_URI):
            if self._provider.policy.pushed_requests == "require":
                raise PageError("Only pushed authorization requests are accepted.")
            return parameters
        expires_at, pushed = self._pushed.pop(request_uri, (0.0, {}))
        if expires_at <= self._provider.clock() or pushed["client_id"] != parameters.get("client_id"):
            raise PageError("This login has expired. Go back to the application and log in again.")
        return pushed
