"""The authorization server as the rest of the gateway sees it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import httpx2

from bff.errors import GatewayError, LoginFailed
from bff.flights import finish
from bff.logs import event
from bff.oauth.authorization import (
    Transaction,
    ValidatedCode,
    parse_response,
    response_state,
    validate_authorization_response,
)
from bff.oauth.end_session import end_session_url
from bff.oauth.id_token import IdToken, UnmetAuthentication
from bff.oauth.keys import ProviderKeys
from bff.oauth.logout_token import LogoutToken
from bff.oauth.metadata import ProviderMetadata
from bff.oauth.signed_response import signed_response, signed_response_state
from bff.oauth.token_response import TokenResponse
from bff.provider.answers import Login, RefreshedTokens
from bff.provider.authorization_requests import AuthorizationRequests
from bff.provider.claims import ClaimsReader
from bff.provider.client_authentication import ClientCredentials
from bff.provider.client_requests import ClientRequests
from bff.provider.configuration import configuration_fault
from bff.provider.discovery import Discovery
from bff.provider.proofs import Proofs
from bff.provider.refreshing import Refreshing
from bff.provider.revocation import Revocation
from bff.provider.shares import CODES, PATIENCE, Share
from bff.provider.target_requests import TargetRequests
from bff.provider.transport import ProviderTransport
from bff.provider.verification import TokenVerifier
from bff.session.record import SessionRecord
from bff.settings import Settings
from bff.settings.token_target import TokenTarget

CALLBACK_PATH = "/bff/callback"

_SHORT_SESSION = "offline_access was asked for and no refresh token came: the session ends with its access token"


class Provider:
    """Logs users in, refreshes and revokes their tokens, and checks everything the provider says.

    `targets` has the tokens that are asked for without a refresh token, `credentials` what the client proves itself by.
    Unless said otherwise the methods raise `ProviderUnavailable`, `InvalidProviderAnswer` or `ClientRefused`.
    """

    def __init__(
        self,
        settings: Settings,
        pool: httpx2.AsyncBaseTransport,
        *,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._settings = settings
        self._random_bytes = random_bytes
        self._clock = clock
        self._openid = "openid" in settings.scopes
        self._signed_responses = settings.response_mode.endswith("jwt")
        self.credentials = ClientCredentials(settings)
        self._transport = ProviderTransport(pool)
        self._discovery = Discovery(self._transport, settings, clock=clock)
        self._proofs = Proofs(settings.dpop, clock=clock, random_bytes=random_bytes)
        self._requests = ClientRequests(
            self._transport,
            self.credentials,
            clock=clock,
            random_bytes=random_bytes,
            resource=settings.resource,
            proofs=self._proofs,
        )
        self._claims = ClaimsReader(self._transport, self._proofs, settings)
        self.targets = TargetRequests(
            self._requests,
            self._discovery,
            self._proofs,
            resource=settings.resource,
            audience=settings.audience,
            clock=clock,
            random_bytes=random_bytes,
        )
        self._revocation = Revocation(self._requests, self._discovery)
        self._verifier = TokenVerifier(
            self._discovery, client_id=settings.client_id, algorithm=settings.id_token_alg, clock=clock
        )
        self._authorization = AuthorizationRequests(
            settings, self._requests, self._proofs, self.credentials, clock=clock, redirect_uri=self._redirect_uri
        )
        self._refreshing = Refreshing(
            self._requests,
            self.targets,
            self._discovery,
            self._verifier,
            self._proofs,
            openid=self._openid,
            clock=clock,
        )
        self._codes = Share(CODES, patience=PATIENCE)
        self._reaching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to fetch metadata and keys in the background, again and again until they are there."""
        self._reaching = asyncio.create_task(self._discovery.reach())

    @property
    def not_ready(self) -> str | None:
        """Why no login can be served, None if one can; an outage after the first contact is no reason."""
        metadata = self._discovery.metadata.latest
        if metadata is not None and (fault := configuration_fault(self._settings, metadata)) is not None:
            return fault.explanation
        return self._discovery.missing

    async def metadata(self) -> ProviderMetadata:
        """Return the provider's metadata."""
        return await self._discovery.metadata.get()

    async def keys(self) -> ProviderKeys:
        """Return the keys the provider signs with."""
        return await self._discovery.keys.get()

    def response_state(self, encoded: bytes) -> str | None:
        """Return the `state` of an answer to a login, which nobody has checked; None if there is none."""
        return (signed_response_state if self._signed_responses else response_state)(encoded)

    async def validated_code(self, encoded: bytes, transaction: Transaction) -> ValidatedCode:
        """Return the code of the answer to this login, once all that is needed to use it is at hand.

        Raises `LoginFailed` if anything in the answer is not as it must be (RFC 9207, JARM section 2.4).
        """
        metadata = await self.metadata()
        if self._signed_responses:
            parameters = await self._verifier.signed_response(metadata, signed_response(encoded))
        else:
            parameters = parse_response(encoded)
        requires_issuer = self._settings.profile is not None
        code = validate_authorization_response(
            parameters, transaction=transaction, metadata=metadata, requires_issuer=requires_issuer
        )
        if self._openid:
            await self.keys()
        return code

    async def login_url(self, transaction: Transaction, extra: Mapping[str, str]) -> str:
        """Return where to send the browser, with a pushed request where configured (RFC 9126 section 4).

        Raises `BadRequest` if a parameter in `extra` may not be passed on.
        """
        return await self._authorization.url(await self.metadata(), transaction, extra)

    async def redeem(self, code: ValidatedCode, transaction: Transaction) -> Login:
        """Exchange the code and return the login it stands for.

        Raises `LoginFailed` if anything in the answer is not as it must be (OpenID Connect Core section 3.1.3).
        """
        metadata = await self.metadata()
        if self._openid:
            # Before the code is spent: without keys its answer could not be used.
            await self.keys()
        async with self._codes:
            return await self._redeem(metadata, code, transaction)

    async def _redeem(self, metadata: ProviderMetadata, code: ValidatedCode, transaction: Transaction) -> Login:
        dpop_key = self._proofs.key(metadata, transaction.dpop_key)
        kept = None if dpop_key is None else dpop_key.encoded
        tokens = await self._requests.redeem_code(
            metadata,
            code=code.reveal(),
            code_verifier=transaction.code_verifier,
            redirect_uri=self._redirect_uri,
            dpop_key=dpop_key,
        )
        try:
            id_token, claims = await self._identity(metadata, tokens, transaction)
        except GatewayError as error:
            # Nobody will use these tokens; but with a grant that somebody logged in has, their own would go too.
            if not (isinstance(error, UnmetAuthentication) and transaction.previous_session is not None):
                self.revoke_later(refresh_token=tokens.refresh_token, access_token=tokens.access_token, dpop_key=kept)
            raise
        if tokens.refresh_token is None and "offline_access" in self._settings.scopes:
            event(logging.WARNING, "login.no_refresh_token", variable="BFF_SCOPES", explanation=_SHORT_SESSION)
        return Login(
            issuer=metadata.issuer,
            client_id=self._settings.client_id,
            subject=id_token.subject if id_token else "",
            scope=self._settings.scopes if tokens.scope is None else tokens.scope,
            tokens=tokens,
            id_token=id_token,
            claims=claims,
            dpop_key=kept,
        )

    async def refresh(self, record: SessionRecord, target: TokenTarget | None = None) -> RefreshedTokens:
        """Use the record's refresh token, which must not be None; raises `GrantRefused` if it is not valid any more.

        A refused ID token in the answer is told by `RefreshedTokens.refusal` (OpenID Connect Core section 12.2), an
        access token that is not for the `target` by its `misfit`.
        """
        return await self._refreshing.refresh(record, target)

    async def claims(self, record: SessionRecord, id_token: IdToken | None) -> dict[str, Any]:
        """Return the user's claims as they are now; `id_token` came with the latest refresh, if one did.

        Raises `LoginFailed` if UserInfo speaks of somebody else.
        """
        if not self._openid:
            return record.claims
        claims = await self._claims.read(
            await self.metadata(),
            id_token=id_token,
            subject=record.subject,
            access_token=record.access_token.value,
            dpop_key=record.access_token.dpop_key,
            known=record.claims,
        )
        return claims if id_token is not None else {**record.claims, **claims}

    async def logout_token(self, token: str) -> LogoutToken:
        """Return what a logout token orders; raises `InvalidToken` (a `LoginFailed`) if it is not valid."""
        return await self._verifier.logout_token(await self.metadata(), token)

    def revoke_later(
        self, *, refresh_token: str | None, access_token: str | None, dpop_key: bytes | None = None
    ) -> None:
        """Revoke tokens in the background; `close` waits for it. `dpop_key` is what they were asked for with."""
        self._revocation.later(refresh_token=refresh_token, access_token=access_token, dpop_key=dpop_key)

    def revoke_all_later(self, record: SessionRecord) -> None:
        """Revoke all that a session holds, the tokens for other APIs too, in the same way."""
        revoke = partial(self.revoke_later, dpop_key=record.dpop_key)
        revoke(refresh_token=record.refresh_token, access_token=record.access_token.value)
        for token in record.target_tokens.values():
            revoke(refresh_token=None, access_token=token.value)

    async def revoke(self, token: str, hint: str) -> bool:
        """Revoke one token; raises nothing, returns whether the provider has confirmed it."""
        return await self._revocation.revoke(token, hint)

    def end_session_url(self, id_token: str | None, *, state: str) -> str | None:
        """Return where the provider logs the browser out, None if that is unknown (RP-Initiated Logout 1.0).

        Some providers send the browser back only if there is a `state`.
        """
        settings, metadata = self._settings, self._discovery.metadata.latest
        if settings.logout_url is not None:
            return settings.logout_url
        if metadata is None:
            return None
        return end_session_url(
            metadata,
            id_token_hint=id_token if settings.id_token_hint else None,
            client_id=settings.client_id,
            post_logout_redirect_uri=settings.public_url.url(settings.post_logout_path),
            state=state,
        )

    async def close(self, within: float = 5.0) -> None:
        """Wait `within` seconds for revocations under way, then close all connections."""
        if self._reaching is not None:
            self._reaching.cancel()
            await finish([self._reaching], 0)
        await self._revocation.close(within)
        await self._discovery.close()
        await self._transport.close()

    @property
    def _redirect_uri(self) -> str:
        return self._settings.public_url.url(CALLBACK_PATH)

    async def _identity(
        self, metadata: ProviderMetadata, tokens: TokenResponse, transaction: Transaction
    ) -> tuple[IdToken | None, dict[str, Any]]:
        if not self._openid:
            return None, {}
        if tokens.id_token is None:
            raise LoginFailed("id_token.missing")
        id_token = await self._verifier.id_token(
            metadata, tokens.id_token, transaction=transaction, access_token=tokens.access_token
        )
        claims = await self._claims.read(
            metadata,
            id_token=id_token,
            subject=id_token.subject,
            access_token=tokens.access_token,
            dpop_key=transaction.dpop_key if tokens.is_bound else None,
            known={},
        )
        return id_token, claims
