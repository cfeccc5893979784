"""The provider's metadata and keys, from the issuer and from nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bff.errors import InvalidProviderAnswer, ProviderUnavailable
from bff.oauth.keys import ProviderKeys, parse_keys
from bff.oauth.metadata import ProviderMetadata, metadata_urls, parse_metadata
from bff.oauth.provider_answer import is_json
from bff.provider.remote_document import RemoteDocument
from bff.provider.transport import Answer, ProviderTransport
from bff.settings import Settings
from bff.settings.openid import SIGNATURE_ALGORITHMS
from bff.settings.profile import PROFILE_ALGORITHMS

METADATA_LIFETIME = 3600.0
KEYS_LIFETIME = 600.0

_METADATA_MAX_AGE = 30 * 86400.0
# A key that the provider has withdrawn must not verify for ever because its key set cannot be fetched.
_KEYS_MAX_AGE = 86400.0
_FIRST_RETRY, _LAST_RETRY = 1.0, 30.0


class Discovery:
    """Metadata (OpenID Connect Discovery 1.0, RFC 8414) and key set, each a `RemoteDocument`."""

    def __init__(self, transport: ProviderTransport, settings: Settings, *, clock: Callable[[], float]) -> None:
        self._transport = transport
        self._issuer = settings.issuer
        self._openid = "openid" in settings.scopes
        self._logins = not settings.is_client_alone
        self._mutual_tls = settings.client_cert is not None
        self._algorithms = SIGNATURE_ALGORITHMS if settings.profile is None else PROFILE_ALGORITHMS
        self.metadata: RemoteDocument[ProviderMetadata] = RemoteDocument(
            "metadata", self._fetch_metadata, lifetime=METADATA_LIFETIME, max_age=_METADATA_MAX_AGE, clock=clock
        )
        self.keys: RemoteDocument[ProviderKeys] = RemoteDocument(
            "keys", self._fetch_keys, lifetime=KEYS_LIFETIME, max_age=_KEYS_MAX_AGE, clock=clock
        )

    @property
    def missing(self) -> str | None:
        """The reason why no login can be served yet, None once all that is needed was fetched."""
        documents: tuple[tuple[str, RemoteDocument[object]], ...]
        documents = (("metadata", self.metadata), ("keys", self.keys))  # type: ignore[assignment]
        for name, document in documents[: 2 if self._openid else 1]:
            if document.latest is None:
                return document.failure.reason if document.failure else f"{name}.not_fetched"
        return None

    async def reach(self) -> None:
        """Fetch what a login needs, again and again until it is there."""
        delay = _FIRST_RETRY
        while True:
            try:
                await self.metadata.get()
                if self._openid:
                    await self.keys.get()
            except (ProviderUnavailable, InvalidProviderAnswer):
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LAST_RETRY)
            else:
                return

    async def close(self) -> None:
        """Cancel what is under way."""
        await self.metadata.close()
        await self.keys.close()

    async def _fetch_metadata(self) -> ProviderMetadata:
        for url in metadata_urls(self._issuer, openid=self._openid):
            answer = await self._transport.get(url, accept="application/json")
            if answer.status != 404:
                return parse_metadata(
                    _document(answer, "metadata"),
                    issuer=self._issuer,
                    openid=self._openid,
                    logins=self._logins,
                    mutual_tls=self._mutual_tls,
                    algorithms=self._algorithms,
                )
        raise ProviderUnavailable("metadata.status")

    async def _fetch_keys(self) -> ProviderKeys:
        metadata = await self.metadata.get()
        if metadata.jwks_uri is None:
            raise InvalidProviderAnswer("metadata.jwks_uri")
        answer = await self._transport.get(metadata.jwks_uri, accept="application/jwk-set+json, application/json")
        return parse_keys(_document(answer, "keys"))


def _document(answer: Answer, name: str) -> bytes:
    if answer.status != 200:
        raise ProviderUnavailable(f"{name}.status")
    if not is_json(answer.content_type):
        raise InvalidProviderAnswer(f"{name}.content_type")
    return answer.body
