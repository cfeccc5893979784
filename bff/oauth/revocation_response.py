"""The answer to a revocation request (RFC 7009 sections 2.2 and 2.2.1)."""

from __future__ import annotations

from enum import Enum

from bff.errors import ProviderUnavailable
from bff.oauth.json_document import MalformedDocument, parse_object
from bff.oauth.provider_answer import parse_retry_after

MAX_SIZE = 64 * 1024


class RevocationOutcome(Enum):
    """What became of a token; one that the provider does not know counts as revoked."""

    REVOKED = "revoked"
    UNSUPPORTED_TOKEN_TYPE = "unsupported_token_type"  # noqa: S105 -- an error code
    REFUSED = "refused"


def parse_revocation_response(status: int, body: bytes, *, retry_after: str | None = None) -> RevocationOutcome:
    """Return what became of the token; raises `ProviderUnavailable` if another attempt may do better."""
    if status == 200:
        return RevocationOutcome.REVOKED
    if status == 429 or status >= 500:
        raise ProviderUnavailable("revocation.unavailable", parse_retry_after(retry_after))
    try:
        error = parse_object(body, max_size=MAX_SIZE).get("error")
    except MalformedDocument:
        error = None
    if error == RevocationOutcome.UNSUPPORTED_TOKEN_TYPE.value:
        return RevocationOutcome.UNSUPPORTED_TOKEN_TYPE
    return RevocationOutcome.REFUSED
