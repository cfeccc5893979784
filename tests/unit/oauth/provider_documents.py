"""Metadata of the imaginary provider."""

from __future__ import annotations

import json
from typing import Any

from bff.oauth.metadata import ProviderMetadata, parse_metadata
from tests.support.signed_tokens import ISSUER


def metadata_document(**changes: Any) -> bytes:
    """Return the document; a change to `...` leaves the member out."""
    members = {
        "issuer": ISSUER,
        "authorization_endpoint": f"{ISSUER}/authorize",
        "token_endpoint": f"{ISSUER}/token",
        "jwks_uri": f"{ISSUER}/keys",
        "response_types_supported": ["code", "id_token"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "code_challenge_methods_supported": ["plain", "S256"],
        **changes,
    }
    return json.dumps({name: value for name, value in members.items() if value is not ...}).encode()


def metadata(**changes: Any) -> ProviderMetadata:
    """Return the metadata of an OpenID provider."""
    return parse_metadata(metadata_document(**changes), issuer=ISSUER, openid=True)
