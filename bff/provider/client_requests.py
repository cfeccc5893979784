"""The requests the gateway makes at the provider as an authenticated client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from bff.oauth.client_authentication import ClientAuthentication
from bff.oauth.metadata import ProviderMetadata
from bff.oauth.par import PushedRequest, parse_pushed_response
from bff.oauth.revocation_response import RevocationOutcome, parse_revocation_response
from bff.oauth.token_response import Grant, TokenResponse, parse_token_response
from bff.provider.transport import Answer, ProviderTransport


class ClientRequests:
    """Token, revocation and pushed authorization requests, each authenticated the same way.

    All raise `ProviderUnavailable`, `InvalidProviderAnswer` or `ClientRefused`.
    """

    def __init__(
        self,
        transport: ProviderTransport,
        authentication: ClientAuthentication,
        *,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        resource: str | None,
    ) -> None:
        self._transport = transport
        self._authentication = authentication
        self._clock = clock
        self._random_bytes = random_bytes
        self._target = {} if resource is None else {"resource": resource}

    async def redeem_code(
        self, metadata: ProviderMetadata, *, code: str, code_verifier: str, redirect_uri: str
    ) -> TokenResponse:
        """Exchange an authorization code (RFC 6749 section 4.1.3); raises `LoginFailed` if it is refused."""
        form = {
            "code": code,
            "code_verifier": code_verifier,
            "redirect_uri": redirect_uri,
        }
        return await self._token(metadata, form, "authorization_code")

    async def refresh(self, metadata: ProviderMetadata, refresh_token: str) -> TokenResponse:
        """Use a refresh token (RFC 6749 section 6); raises `GrantRefused` if it is not valid any more."""
        return await self._token(metadata, {"refresh_token": refresh_token}, "refresh_token")

    async def push(self, metadata: ProviderMetadata, endpoint: str, parameters: Mapping[str, str]) -> PushedRequest:
        """Push an authorization request (RFC 9126 section 2.1); raises `LoginFailed` if it is refused."""
        answer = await self._post(metadata, endpoint, parameters)
        return parse_pushed_response(answer.status, answer.body, retry_after=answer.retry_after)

    async def revoke(self, metadata: ProviderMetadata, endpoint: str, *, token: str, hint: str) -> RevocationOutcome:
        """Revoke a token (RFC 7009 section 2.1) and return what became of it."""
        answer = await self._post(metadata, endpoint, {"token": token, "token_type_hint": hint})
        return parse_revocation_response(answer.status, answer.body, retry_after=answer.retry_after)

    async def _token(self, metadata: ProviderMetadata, form: dict[str, str], grant: Grant) -> TokenResponse:
        answer = await self._post(metadata, metadata.token_endpoint, {"grant_type": grant, **form, **self._target})
        return parse_token_response(
            answer.status,
            answer.body,
            grant=grant,
            content_type=answer.content_type,
            retry_after=answer.retry_after,
        )

    async def _post(self, metadata: ProviderMetadata, endpoint: str, form: Mapping[str, str]) -> Answer:
        authenticate = partial(
            self._authentication.apply,
            audience=metadata.issuer,
            now=self._clock(),
            random_bytes=self._random_bytes,
            algorithms=metadata.token_endpoint_auth_signing_alg_values_supported,
        )
        return await self._transport.post(endpoint, form, authenticate=authenticate)
