"""A refresh at the provider, from the record's refresh token to an answer in which everything is validated."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from bff.errors import GrantRefused, InvalidProviderAnswer, ProviderUnavailable
from bff.oauth.jws import InvalidToken
from bff.oauth.token_response import UnusableTokens
from bff.oauth.userinfo import merge_claims
from bff.provider.answers import RefreshedTokens
from bff.provider.client_requests import ClientRequests
from bff.provider.discovery import Discovery
from bff.provider.proofs import Proofs
from bff.provider.target_requests import TargetRequests
from bff.provider.verification import TokenVerifier
from bff.session.record import SessionRecord
from bff.settings.token_target import TokenTarget


class Refreshing:
    """Uses refresh tokens; `openid` says whether ID tokens are expected and looked at."""

    def __init__(
        self,
        requests: ClientRequests,
        targets: TargetRequests,
        discovery: Discovery,
        verifier: TokenVerifier,
        proofs: Proofs,
        *,
        openid: bool,
        clock: Callable[[], float],
    ) -> None:
        self._requests = requests
        self._targets = targets
        self._discovery = discovery
        self._verifier = verifier
        self._proofs = proofs
        self._openid = openid
        self._clock = clock

    async def refresh(self, record: SessionRecord, target: TokenTarget | None) -> RefreshedTokens:
        """Return the answer to the record's refresh token; raises as `Provider.refresh`."""
        metadata = await self._discovery.metadata.get()
        if self._openid:
            # Before the refresh token is spent: without keys the answer could not be used.
            await self._discovery.keys.get()
        assert record.refresh_token is not None
        if self._proofs.are_required and record.dpop_key is None:
            # Begun while bearer tokens would do: only another login gives it tokens that will.
            raise GrantRefused("dpop.no_key")
        misfit = None
        try:
            if target is None:
                dpop_key = self._proofs.key(metadata, record.dpop_key)
                tokens = await self._requests.refresh(metadata, record.refresh_token, dpop_key)
            else:
                tokens, misfit = await self._targets.refresh(metadata, record, target)
        except UnusableTokens as unusable:
            # The refresh token that was sent may be spent: only the one that came is sure to be good.
            tokens, misfit = unusable.rest, unusable.reason
        refreshed = RefreshedTokens(tokens=tokens, received_at=self._clock(), target=target, misfit=misfit)
        if not self._openid or tokens.id_token is None:
            return refreshed
        try:
            id_token = await self._verifier.refreshed_id_token(
                metadata, tokens.id_token, record=record, access_token=tokens.access_token
            )
        except (InvalidToken, ProviderUnavailable, InvalidProviderAnswer) as error:
            return dataclasses.replace(refreshed, refusal=error.reason)
        return dataclasses.replace(refreshed, id_token=id_token, claims=merge_claims(id_token.claims, {}))
