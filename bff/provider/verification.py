"""What the provider signs for this client, validated with its keys as they are now."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from bff.logs import event
from bff.oauth.id_token import IdToken, validate_id_token, validate_refreshed_id_token
from bff.oauth.jws import InvalidToken, UnknownKey
from bff.oauth.logout_token import LogoutToken, validate_logout_token
from bff.oauth.metadata import ProviderMetadata
from bff.oauth.signed_response import validate_signed_response
from bff.oauth.transaction import Transaction
from bff.provider.algorithms import SigningAlgorithms
from bff.provider.discovery import Discovery
from bff.session.record import SessionRecord

Validated = TypeVar("Validated", IdToken, LogoutToken, dict[str, str])

_VARIABLE: Final = "BFF_ID_TOKEN_ALG"
_CONFIGURED: Final = "the token is not signed with the algorithm that BFF_ID_TOKEN_ALG names"
_NOT_CONFIGURED: Final = {
    "id_token.algorithm": "the provider's metadata do not list the algorithm that the ID token is signed with",
    "logout_token.algorithm": (
        "the logout token is not signed as the ID tokens are, or as RS256 before there was one; "
        "if this client is registered for another algorithm, name it in BFF_ID_TOKEN_ALG"
    ),
}


class TokenVerifier:
    """Validates ID tokens, logout tokens and signed responses; `algorithm` is the one that is configured.

    All methods raise `InvalidToken`, and `ProviderUnavailable` or `InvalidProviderAnswer` without the provider's keys.
    """

    def __init__(
        self, discovery: Discovery, *, client_id: str, algorithm: str | None, clock: Callable[[], float]
    ) -> None:
        self._discovery = discovery
        self._client_id = client_id
        self._algorithms = SigningAlgorithms(algorithm)
        self._clock = clock

    async def id_token(
        self, metadata: ProviderMetadata, token: str, *, transaction: Transaction, access_token: str
    ) -> IdToken:
        """Return the ID token that came with a login (OpenID Connect Core section 3.1.3.7)."""
        return self._seen(
            await self._verified(
                partial(
                    validate_id_token,
                    token,
                    algorithms=self._algorithms.for_id_tokens(metadata),
                    issuer=metadata.issuer,
                    client_id=self._client_id,
                    nonce=transaction.nonce,
                    now=self._clock(),
                    access_token=access_token,
                    max_age=transaction.max_age,
                    asked_at=transaction.started_at,
                    acr_values=(transaction.acr_values or "").split() if transaction.is_step_up else (),
                )
            )
        )

    async def refreshed_id_token(
        self, metadata: ProviderMetadata, token: str, *, record: SessionRecord, access_token: str
    ) -> IdToken:
        """Return the ID token that came with a refresh (OpenID Connect Core section 12.2)."""
        return self._seen(
            await self._verified(
                partial(
                    validate_refreshed_id_token,
                    token,
                    algorithms=self._algorithms.for_id_tokens(metadata),
                    issuer=metadata.issuer,
                    client_id=record.client_id,
                    now=self._clock(),
                    access_token=access_token,
                    subject=record.subject,
                    auth_time=record.auth_time,
                )
            )
        )

    async def signed_response(self, metadata: ProviderMetadata, token: str) -> dict[str, str]:
        """Return the parameters of a signed authorization response (JARM section 2.4)."""
        return await self._verified(
            partial(
                validate_signed_response,
                token,
                algorithms=metadata.authorization_signing_alg_values_supported,
                issuer=metadata.issuer,
                client_id=self._client_id,
                now=self._clock(),
            )
        )

    async def logout_token(self, metadata: ProviderMetadata, token: str) -> LogoutToken:
        """Return what a logout token orders (OpenID Connect Back-Channel Logout 1.0 section 2.6)."""
        now = self._clock()
        return await self._verified(
            partial(
                validate_logout_token,
                token,
                algorithms=self._algorithms.for_logout_tokens(metadata, now),
                issuer=metadata.issuer,
                client_id=self._client_id,
                now=now,
            ),
            # Anybody can post a logout token; it must not make the gateway wait.
            patient=False,
        )

    def _seen(self, id_token: IdToken) -> IdToken:
        self._algorithms.saw(id_token.algorithm, self._clock())
        return id_token

    async def _verified(self, validate: Callable[..., Validated], *, patient: bool = True) -> Validated:
        """Validate a token; if its key is not known, or looks replaced, once more with keys fetched since."""
        keys = await self._discovery.keys.get()
        try:
            return validate(keys=keys)
        except InvalidToken as error:
            self._explain(error.reason)
            if not isinstance(error, UnknownKey) and not error.reason.endswith(".signature"):
                raise
            newer = await self._discovery.keys.newer_than(keys, patient=patient)
            if newer is keys:
                raise
        return validate(keys=newer)

    def _explain(self, reason: str) -> None:
        """Tell the operator of a refusal that a setting may mend."""
        explanation = _NOT_CONFIGURED.get(reason)
        if explanation is not None:
            explanation = explanation if self._algorithms.configured is None else _CONFIGURED
            event(logging.WARNING, "provider.algorithm", reason=reason, variable=_VARIABLE, explanation=explanation)
