"""Where the browser is sent to log in: the request in its URL, signed or not, or pushed beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bff.errors import ClientRefused
from bff.oauth.authorization import Parameters, Transaction, authorization_request, authorization_url
from bff.oauth.metadata import ProviderMetadata
from bff.oauth.request_object import request_object
from bff.provider.client_authentication import ClientCredentials
from bff.provider.client_requests import ClientRequests
from bff.provider.configuration import configuration_fault
from bff.provider.proofs import Proofs
from bff.provider.shares import AUTHORIZATION_REQUESTS, PATIENCE, Share
from bff.settings import Settings


class AuthorizationRequests:
    """Makes authorization requests as `settings` and the provider's metadata say."""

    def __init__(
        self,
        settings: Settings,
        requests: ClientRequests,
        proofs: Proofs,
        credentials: ClientCredentials,
        *,
        clock: Callable[[], float],
        redirect_uri: str,
    ) -> None:
        self._settings = settings
        self._requests = requests
        self._proofs = proofs
        self._credentials = credentials
        self._clock = clock
        self._redirect_uri = redirect_uri
        self._resources = login_resources(settings)
        self._share = Share(AUTHORIZATION_REQUESTS, patience=PATIENCE)

    async def url(self, metadata: ProviderMetadata, transaction: Transaction, extra: Mapping[str, str]) -> str:
        """Return where to send the browser, with a pushed request where configured (RFC 9126 section 4).

        Raises `BadRequest` if a parameter in `extra` may not be passed on, `ClientRefused` if the configuration and
        what the provider offers contradict each other.
        """
        settings = self._settings
        fault = configuration_fault(settings, metadata)
        if fault is not None:
            raise ClientRefused(fault.reason)
        dpop_key = self._proofs.key(metadata, transaction.dpop_key)
        parameters = authorization_request(
            transaction,
            client_id=settings.client_id,
            redirect_uri=self._redirect_uri,
            scopes=settings.scopes,
            audience=settings.audience,
            resources=self._resources,
            response_mode=None if settings.response_mode == "query" else settings.response_mode,
            dpop_jkt=None if dpop_key is None else dpop_key.thumbprint,
            extra=extra,
        )
        if settings.request_object == "signed":
            parameters = {"client_id": settings.client_id, "request": self._signed(metadata, parameters)}
        endpoint = metadata.pushed_authorization_request_endpoint
        if endpoint is not None and settings.par != "off":
            async with self._share:
                pushed = await self._requests.push(metadata, endpoint, parameters, dpop_key)
            parameters = {"client_id": settings.client_id, "request_uri": pushed.request_uri}
        return authorization_url(metadata, parameters)

    def _signed(self, metadata: ProviderMetadata, parameters: Parameters) -> str:
        return request_object(
            parameters,
            keys=self._credentials.signing_keys,
            algorithms=metadata.request_object_signing_alg_values_supported,
            issuer=metadata.issuer,
            now=self._clock(),
        )


def login_resources(settings: Settings) -> tuple[str, ...]:
    """Return every API that a session's refresh token will be used for, the login's own first (RFC 8707 section 2.1).

    A provider that knows the parameter refuses a later request for one that was not named here.
    """
    named = [settings.resource]
    named += [route.resource for route in settings.routes if route.token.startswith("user") and not route.exchange]
    return tuple(dict.fromkeys(name for name in named if name is not None))
