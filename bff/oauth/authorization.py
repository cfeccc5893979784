"""The authorization request (RFC 6749 section 4.1.1, RFC 7636, OpenID Connect Core 1.0 section 3.1.2.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote, urlencode

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from bff.errors import BadRequest
from bff.oauth.authorization_response import (
    ProviderRefusal,
    ValidatedCode,
    parse_response,
    response_state,
    validate_authorization_response,
)
from bff.oauth.metadata import ProviderMetadata
from bff.oauth.transaction import Transaction, decode_transaction, encode_transaction, new_transaction
from bff.settings.openid import is_protected

__all__ = [
    "Parameters",
    "ProviderRefusal",
    "Transaction",
    "ValidatedCode",
    "authorization_request",
    "authorization_url",
    "decode_transaction",
    "encode_transaction",
    "new_transaction",
    "parse_max_age",
    "parse_response",
    "response_state",
    "validate_authorization_response",
]

Parameters = dict[str, str | tuple[str, ...]]
"""Parameters of a request; `resource` alone may come several times."""

_SHOWN: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,1024}")


def parse_max_age(value: str) -> int:
    """Return a `max_age` parameter in seconds; raises `BadRequest` (OpenID Connect Core section 3.1.2.1)."""
    if not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII):
        raise BadRequest("login.max_age")
    return int(value)


def authorization_request(
    transaction: Transaction,
    *,
    client_id: str,
    redirect_uri: str,
    scopes: Sequence[str],
    audience: str | None = None,
    resources: Sequence[str] = (),
    response_mode: str | None = None,
    dpop_jkt: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> Parameters:
    """Return the request's parameters: code flow with PKCE S256, state and, for OpenID, a nonce.

    `resources` are all those that tokens will be asked for with what comes of it (RFC 8707 section 2.1).
    `response_mode` is None for the default of the code flow, the query.
    `extra` are parameters of the login endpoint that the operator lets through; `max_age` and `acr_values` among them
    count only as the transaction has them, for what is asked is checked. `dpop_jkt` binds the code to a key (RFC 9449
    section 10). Raises `BadRequest`.
    """
    parameters: Parameters = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(scopes),
        "state": transaction.state,
        "code_challenge": create_s256_code_challenge(transaction.code_verifier),
        "code_challenge_method": "S256",
    }
    if "openid" in scopes:
        parameters["nonce"] = transaction.nonce
    asked = {
        "response_mode": response_mode,
        "audience": audience,
        "dpop_jkt": dpop_jkt,
        "max_age": None if transaction.max_age is None else str(transaction.max_age),
        "acr_values": transaction.acr_values,
    }
    parameters |= {name: value for name, value in asked.items() if value is not None}
    if resources:
        parameters["resource"] = resources[0] if len(resources) == 1 else tuple(resources)
    for name, value in (extra or {}).items():
        if is_protected(name) or not _SHOWN.fullmatch(value):
            raise BadRequest("login.parameter")
        if name in ("max_age", "acr_values"):
            if name not in parameters:
                raise BadRequest("login.parameter")
            continue
        parameters[name] = value
    return parameters


def authorization_url(metadata: ProviderMetadata, parameters: Mapping[str, str | tuple[str, ...]]) -> str:
    """Return the URL to send the browser to; a query of the endpoint's own is kept (RFC 6749 section 3.1)."""
    endpoint = metadata.authorization_endpoint
    separator = "&" if "?" in endpoint else "?"
    return f"{endpoint}{separator}{urlencode(parameters, doseq=True, quote_via=quote)}"
