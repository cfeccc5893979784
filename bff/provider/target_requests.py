"""Tokens for the APIs that routes name: how each is asked for, and whether the answer is the one asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from bff.errors import InvalidProviderAnswer
from bff.oauth.dpop import DpopKey, new_dpop_key
from bff.oauth.granted_token import check_audience_asked_for, granted_scope
from bff.oauth.metadata import ProviderMetadata
from bff.oauth.token_response import TokenResponse
from bff.provider.answers import TargetToken
from bff.provider.client_requests import ClientRequests
from bff.provider.discovery import Discovery
from bff.provider.proofs import Proofs
from bff.session.record import SessionRecord
from bff.session.sealing import hash_parts
from bff.settings.token_target import TokenTarget


class TargetRequests:
    """Asks for tokens of a target; `resource` and `audience` are the login's, which stand in where a route has none.

    All raise as `ClientRequests`, and unless said otherwise `InvalidProviderAnswer` for a token of another audience or
    with less scope than asked for.
    """

    def __init__(
        self,
        requests: ClientRequests,
        discovery: Discovery,
        proofs: Proofs,
        *,
        resource: str | None,
        audience: str | None,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._requests = requests
        self._discovery = discovery
        self._resource = resource
        self._audience = audience
        self._proofs = proofs
        self._clock = clock
        self._random_bytes = random_bytes

    async def refresh(
        self, metadata: ProviderMetadata, record: SessionRecord, target: TokenTarget
    ) -> tuple[TokenResponse, str | None]:
        """Use the record's refresh token for another API.

        Returns the answer, with the scope its access token has, and the reason if that token is not the one asked for:
        the rest of the answer counts all the same, for the refresh token may be spent.
        """
        assert record.refresh_token is not None
        parameters = self._grant_parameters(target)
        dpop_key = self._proofs.key(metadata, record.dpop_key)
        tokens = await self._requests.refresh(metadata, record.refresh_token, dpop_key, parameters)
        try:
            _check_audience(tokens, target, parameters)
            scope = granted_scope(tokens.scope, asked=target.scope, known=record.access_token.scope)
        except InvalidProviderAnswer as error:
            return tokens, error.reason
        return dataclasses.replace(tokens, scope=scope), None

    def client_token_name(self, target: TokenTarget) -> str:
        """Return what tells tokens of the client's own apart: all that one is asked for with, and bound or not."""
        binding = "bound" if self._proofs.are_required else "any"
        asked = (f"{name}={value}" for name, value in sorted(self._client_parameters(target).items()))
        return hash_parts("client token", binding, target.expect_audience or "", *asked).hex()

    async def client_token(self, target: TokenTarget) -> TargetToken:
        """Get a token of the client's own (RFC 6749 section 4.4)."""
        parameters, metadata = self._client_parameters(target), await self._discovery.metadata.get()
        # A key for this one token: whoever shares the token shares its key.
        dpop_key = new_dpop_key(self._random_bytes) if self._proofs.are_sent(metadata) else None
        tokens = await self._requests.client_credentials(metadata, parameters, dpop_key)
        return self._checked(tokens, target, parameters, dpop_key)

    async def exchange(self, record: SessionRecord, target: TokenTarget) -> TargetToken:
        """Exchange the record's access token for one of the target (RFC 8693)."""
        parameters, metadata = _parameters(target), await self._discovery.metadata.get()
        dpop_key = self._proofs.key(metadata, record.dpop_key)
        tokens = await self._requests.exchange(metadata, record.access_token.value, parameters, dpop_key)
        return self._checked(tokens, target, parameters, dpop_key)

    def _checked(
        self, tokens: TokenResponse, target: TokenTarget, parameters: dict[str, str], dpop_key: DpopKey | None
    ) -> TargetToken:
        _check_audience(tokens, target, parameters)
        return TargetToken(
            value=tokens.access_token,
            expires_in=tokens.expires_in,
            scope=granted_scope(tokens.scope, asked=target.scope, known=()),
            received_at=self._clock(),
            dpop_key=dpop_key.encoded if dpop_key is not None and tokens.is_bound else None,
            certificate=tokens.certificate,
        )

    def _client_parameters(self, target: TokenTarget) -> dict[str, str]:
        parameters = self._grant_parameters(target)
        if self._audience is not None and target.audience is None and target.resource is None:
            parameters["audience"] = self._audience
        return parameters

    def _grant_parameters(self, target: TokenTarget) -> dict[str, str]:
        parameters = _parameters(target)
        if self._resource is not None and target.resource is None and target.audience is None:
            parameters["resource"] = self._resource
        return parameters


def _parameters(target: TokenTarget) -> dict[str, str]:
    asked = {"resource": target.resource, "audience": target.audience, "scope": " ".join(target.scope)}
    return {name: value for name, value in asked.items() if value}


def _check_audience(tokens: TokenResponse, target: TokenTarget, parameters: dict[str, str]) -> None:
    asked = [parameters[name] for name in ("resource", "audience") if name in parameters]
    if target.expect_audience is not None:
        asked = [target.expect_audience]
    check_audience_asked_for(tokens.access_token, asked)
