"""The client's way to prove itself, from the settings."""

from __future__ import annotations

from bff.oauth.client_authentication import ClientAuthentication
from bff.oauth.signing_key import SigningKey, parse_signing_keys
from bff.settings import Settings
from bff.settings.credentials import certificate_begins_at
from bff.settings.profile import PROFILE_ALGORITHMS


class ClientCredentials:
    """What the client proves itself and signs with, as it is now; raises `UnusableKey` for a key that cannot sign.

    `certificate` is when the certificate began that tokens may be bound to, in seconds since the epoch.
    """

    def __init__(self, settings: Settings) -> None:
        self.authentication = client_authentication(settings)
        self.signing_keys = signing_keys(settings)
        # Where proofs bind every token to a key, none is bound to the certificate.
        chain = None if settings.dpop == "require" else settings.client_cert
        self.certificate = None if chain is None else certificate_begins_at(chain)

    def renew(self, settings: Settings) -> None:
        """Use what these settings hold from now on; raises as making it, and then nothing has changed."""
        renewed = ClientCredentials(settings)
        self.authentication, self.signing_keys = renewed.authentication, renewed.signing_keys
        self.certificate = renewed.certificate


def client_authentication(settings: Settings) -> ClientAuthentication:
    """Return how this client authenticates at the provider; raises `UnusableKey` for a key that cannot sign."""
    return ClientAuthentication(
        client_id=settings.client_id,
        method=settings.client_auth,
        secret=settings.client_secret.reveal() if settings.client_secret else None,
        keys=signing_keys(settings),
    )


def signing_keys(settings: Settings) -> tuple[SigningKey, ...]:
    """Return the client's private keys, newest first, with the algorithms that the profile allows."""
    if settings.client_key is None:
        return ()
    algorithms = None if settings.profile is None else PROFILE_ALGORITHMS
    return parse_signing_keys(settings.client_key.reveal(), algorithms=algorithms)
