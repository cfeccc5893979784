"""The authorization server over HTTP: metadata, keys, grants, revocation. The only user of `httpx2`."""

from bff.provider.answers import Login, RefreshedTokens, TargetToken
from bff.provider.provider import CALLBACK_PATH, Provider
from bff.provider.tls import mutual_tls, plain_tls, renew_tls
from bff.provider.transport import PROVIDER_TIMEOUT, RenewablePool, open_pool

__all__ = [
    "CALLBACK_PATH",
    "PROVIDER_TIMEOUT",
    "Login",
    "Provider",
    "RefreshedTokens",
    "RenewablePool",
    "TargetToken",
    "mutual_tls",
    "open_pool",
    "plain_tls",
    "renew_tls",
]
