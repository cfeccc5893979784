"""The requests the gateway makes at the provider as an authenticated client."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from functools import partial

from bff.errors import ProviderUnavailable
from bff.oauth.dpop import DpopKey, is_nonce_demand, parse_nonce
from bff.oauth.metadata import ProviderMetadata
from bff.oauth.par import PushedRequest, parse_pushed_response
from bff.oauth.revocation_response import RevocationOutcome, parse_revocation_response
from bff.oauth.token_response import (
    ACCESS_TOKEN_TYPE,
    TOKEN_EXCHANGE,
    Grant,
    TokenResponse,
    parse_token_response,
)
from bff.provider.client_authentication import ClientCredentials
from bff.provider.proofs import Proofs
from bff.provider.transport import PROVIDER_TIMEOUT, Answer, ProviderTransport


class ClientRequests:
    """Token, revocation and pushed authorization requests, each authenticated the same way.

    All raise `ProviderUnavailable`, `InvalidProviderAnswer` or `ClientRefused`.
    """

    def __init__(
        self,
        transport: ProviderTransport,
        credentials: ClientCredentials,
        *,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        resource: str | None,
        proofs: Proofs,
    ) -> None:
        self._transport = transport
        self._credentials = credentials
        self._clock = clock
        self._random_bytes = random_bytes
        self._proofs = proofs
        self._target = {} if resource is None else {"resource": resource}

    async def redeem_code(
        self,
        metadata: ProviderMetadata,
        *,
        code: str,
        code_verifier: str,
        redirect_uri: str,
        dpop_key: DpopKey | None = None,
    ) -> TokenResponse:
        """Exchange an authorization code (RFC 6749 section 4.1.3); raises `LoginFailed` if it is refused."""
        form = {
            "code": code,
            "code_verifier": code_verifier,
            "redirect_uri": redirect_uri,
        }
        return await self._token(metadata, form, "authorization_code", dpop_key)

    async def refresh(
        self,
        metadata: ProviderMetadata,
        refresh_token: str,
        dpop_key: DpopKey | None = None,
        target: Mapping[str, str] | None = None,
    ) -> TokenResponse:
        """Use a refresh token (RFC 6749 section 6); raises `GrantRefused` if it is not valid any more.

        `target` are the parameters that say for which API, where it is not the login's (RFC 8707 section 2.2).
        """
        return await self._token(metadata, {"refresh_token": refresh_token}, "refresh_token", dpop_key, target)

    async def client_credentials(
        self, metadata: ProviderMetadata, target: Mapping[str, str], dpop_key: DpopKey | None = None
    ) -> TokenResponse:
        """Get a token of the client's own (RFC 6749 section 4.4)."""
        return await self._token(metadata, {}, "client_credentials", dpop_key, target)

    async def exchange(
        self,
        metadata: ProviderMetadata,
        access_token: str,
        target: Mapping[str, str],
        dpop_key: DpopKey | None = None,
    ) -> TokenResponse:
        """Exchange a user's access token for one of another API (RFC 8693 section 2.1)."""
        form = {
            "subject_token": access_token,
            "subject_token_type": ACCESS_TOKEN_TYPE,
            "requested_token_type": ACCESS_TOKEN_TYPE,
        }
        return await self._token(metadata, form, TOKEN_EXCHANGE, dpop_key, target)

    async def push(
        self,
        metadata: ProviderMetadata,
        endpoint: str,
        parameters: Mapping[str, str | tuple[str, ...]],
        dpop_key: DpopKey | None = None,
    ) -> PushedRequest:
        """Push an authorization request (RFC 9126 section 2.1); raises `LoginFailed` if it is refused."""
        answer = await self._post(metadata, endpoint, parameters, dpop_key)
        return parse_pushed_response(answer.status, answer.body, retry_after=answer.retry_after)

    async def revoke(
        self, metadata: ProviderMetadata, endpoint: str, *, token: str, hint: str, dpop_key: DpopKey | None = None
    ) -> RevocationOutcome:
        """Revoke a token (RFC 7009 section 2.1) and return what became of it."""
        answer = await self._post(metadata, endpoint, {"token": token, "token_type_hint": hint}, dpop_key)
        return parse_revocation_response(answer.status, answer.body, retry_after=answer.retry_after)

    async def _token(
        self,
        metadata: ProviderMetadata,
        form: dict[str, str],
        grant: Grant,
        dpop_key: DpopKey | None,
        target: Mapping[str, str] | None = None,
    ) -> TokenResponse:
        parameters = {"grant_type": grant, **form, **(self._target if target is None else target)}
        certificate = self._credentials.certificate if metadata.tls_client_certificate_bound_access_tokens else None
        answer = await self._post(metadata, metadata.token_endpoint, parameters, dpop_key)
        tokens = parse_token_response(
            answer.status,
            answer.body,
            grant=grant,
            content_type=answer.content_type,
            retry_after=answer.retry_after,
            token_types=self._proofs.token_types(dpop_key),
        )
        return tokens if tokens.is_bound else dataclasses.replace(tokens, certificate=certificate)

    async def _post(
        self,
        metadata: ProviderMetadata,
        endpoint: str,
        form: Mapping[str, str | tuple[str, ...]],
        dpop_key: DpopKey | None = None,
    ) -> Answer:
        """Send a request, and once more with the server's nonce if that was all it lacked (RFC 9449 section 8)."""
        send = partial(self._send, metadata, endpoint, form, dpop_key)
        try:
            async with asyncio.timeout(PROVIDER_TIMEOUT):
                answer = await send(None)
                if dpop_key is None:
                    return answer
                # Nobody else's before this request was made again: a server may take each nonce once.
                own = parse_nonce(answer.dpop_nonce) if is_nonce_demand(answer.status, answer.body) else None
                if own is not None:
                    answer = await send(own)
                self._proofs.learn(endpoint, answer.dpop_nonce, own=own)
                return answer
        except TimeoutError:
            raise ProviderUnavailable("provider.timeout") from None

    async def _send(
        self,
        metadata: ProviderMetadata,
        endpoint: str,
        form: Mapping[str, str | tuple[str, ...]],
        dpop_key: DpopKey | None,
        nonce: str | None,
    ) -> Answer:
        """Send a request once; assertion and proof are made for this one alone."""

        def authenticate(form: dict[str, str], headers: dict[str, str]) -> None:
            self._credentials.authentication.apply(
                form,
                headers,
                audience=metadata.issuer,
                now=self._clock(),
                random_bytes=self._random_bytes,
                algorithms=metadata.token_endpoint_auth_signing_alg_values_supported,
            )
            if dpop_key is not None:
                headers["DPoP"] = self._proofs.proof(dpop_key, "POST", endpoint, nonce=nonce)

        return await self._transport.post(endpoint, form, authenticate=authenticate)
