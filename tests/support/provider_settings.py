"""Settings of a gateway in front of the provider of `tests.support.signed_tokens`."""

from __future__ import annotations

from bff.settings import Settings, load_settings
from tests.support.signed_tokens import CLIENT_ID, ISSUER

PUBLIC_URL = "https://app.example.com"

EVERYTHING_ON = {"response_mode": "form_post", "silent_login": "on"}
"""What adds endpoints, or methods of endpoints."""


def provider_settings(**variables: str) -> Settings:
    """Return settings with these variables (names without `BFF_`, in lower case) over a working minimum."""
    environ = {
        "BFF_PUBLIC_URL": PUBLIC_URL,
        "BFF_ISSUER": ISSUER,
        "BFF_CLIENT_ID": CLIENT_ID,
        "BFF_CLIENT_SECRET": "client-secret-of-the-tests",
        "BFF_UPSTREAM_URL": "https://api.example.com",
    }
    return load_settings(environ | {f"BFF_{name.upper()}": value for name, value in variables.items()})
