"""What is known of the user: the ID token's claims, over those of UserInfo where that is asked."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from bff.errors import ClientRefused, InvalidProviderAnswer, ProviderUnavailable
from bff.http.challenges import demands_dpop_nonce
from bff.logs import event
from bff.oauth.dpop import DpopKey, parse_nonce
from bff.oauth.id_token import IdToken
from bff.oauth.metadata import ProviderMetadata
from bff.oauth.userinfo import merge_claims, parse_userinfo
from bff.provider.proofs import Proofs
from bff.provider.transport import Answer, ProviderTransport
from bff.settings import Settings

_TOLERATED = (ProviderUnavailable, InvalidProviderAnswer, ClientRefused)


class ClaimsReader:
    """Reads claims by the rule of `BFF_USERINFO`: whether those that the application may see are there already."""

    def __init__(self, transport: ProviderTransport, proofs: Proofs, settings: Settings) -> None:
        self._transport = transport
        self._proofs = proofs
        self._mode = settings.userinfo
        self._wanted = frozenset(settings.session_claims) - {"sub"}

    async def read(
        self,
        metadata: ProviderMetadata,
        *,
        id_token: IdToken | None,
        subject: str,
        access_token: str,
        dpop_key: bytes | None,
        known: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Return the claims about `subject`; raises `LoginFailed` if UserInfo speaks of somebody else.

        `dpop_key` is the encoded key that the access token is bound to, None for a bearer token.
        Where UserInfo is only asked because it may help (`auto`), its failure leaves the ID token's claims, and those
        `known` from before: an outage takes nobody's name away.
        """
        claims = {} if id_token is None else id_token.claims
        endpoint = metadata.userinfo_endpoint
        if self._mode == "off" or (self._mode == "auto" and not self._wanted.isdisjoint(claims)):
            return merge_claims(claims, {})
        if endpoint is None:
            if self._mode == "on":
                raise ClientRefused("userinfo.no_endpoint")
            return merge_claims(claims, {})
        try:
            userinfo = await self._userinfo(endpoint, subject, access_token, dpop_key)
        except _TOLERATED as failure:
            if self._mode == "on":
                raise
            # Said, for the page will miss claims: as where the access token is for an API and UserInfo refuses it.
            event(logging.WARNING, "userinfo.failed", reason=failure.reason)
            return merge_claims(claims, known)
        return merge_claims(claims, userinfo)

    async def _userinfo(self, endpoint: str, subject: str, access_token: str, dpop_key: bytes | None) -> dict[str, Any]:
        key = None if dpop_key is None else DpopKey(dpop_key)
        answer = await self._ask(endpoint, access_token, key)
        if key is not None:
            is_demand = answer.status == 401 and demands_dpop_nonce(answer.challenges)
            own = parse_nonce(answer.dpop_nonce) if is_demand else None
            if own is not None:
                answer = await self._ask(endpoint, access_token, key, own)
            self._proofs.learn(endpoint, answer.dpop_nonce, access_token=access_token, own=own)
        return parse_userinfo(
            answer.status,
            answer.content_type,
            answer.body,
            subject=subject,
            retry_after=answer.retry_after,
        )

    async def _ask(self, endpoint: str, access_token: str, key: DpopKey | None, nonce: str | None = None) -> Answer:
        if key is None:
            credentials = {"Authorization": f"Bearer {access_token}"}
        else:
            proof = self._proofs.proof(key, "GET", endpoint, access_token=access_token, nonce=nonce)
            credentials = {"Authorization": f"DPoP {access_token}", "DPoP": proof}
        return await self._transport.get(endpoint, accept="application/json", credentials=credentials)
