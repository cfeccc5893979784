"""What the provider answers to the gateway's own requests: a JSON object, or an error (RFC 6749 section 5.2)."""

from __future__ import annotations

import re
from typing import Any

from bff.errors import ClientRefused, InvalidProviderAnswer, ProviderUnavailable
from bff.oauth.json_document import MalformedDocument, parse_object

DEFAULT_RETRY_AFTER = 5.0
MAX_RETRY_AFTER = 300.0

_JSON = re.compile(r"application/(?:[!#-.0-9A-Z^-z|~]+\+)?json", re.ASCII | re.IGNORECASE)

# The provider wants another request: the registration or the configuration is wrong, and no user can mend it.
_CLIENT_ERRORS = frozenset(
    {
        "invalid_client", "invalid_client_metadata", "invalid_dpop_proof", "invalid_request", "invalid_request_object",
        "invalid_request_uri", "invalid_scope", "invalid_target", "request_not_supported", "unauthorized_client",
        "unsupported_grant_type", "unsupported_response_type",
    }
)  # fmt: skip
_TRANSIENT_ERRORS = frozenset({"server_error", "slow_down", "temporarily_unavailable"})


def is_json(content_type: str | None) -> bool:
    """Whether the media type is JSON or was left out; its parameters do not matter (RFC 8259 section 11)."""
    return content_type is None or _JSON.fullmatch(content_type.partition(";")[0].strip()) is not None


def parse_answer(
    kind: str, status: int, body: bytes, *, max_size: int, retry_after: str | None = None
) -> dict[str, Any]:
    """Return the JSON object of an answer, success or refusal.

    `kind` begins the reason of every error; `retry_after` is that header. Raises `ProviderUnavailable` for 429 and
    5xx whatever the body says, `InvalidProviderAnswer` for what is not a JSON object.
    """
    if status == 429 or status >= 500:
        raise ProviderUnavailable(f"{kind}.unavailable", parse_retry_after(retry_after))
    try:
        return parse_object(body, max_size=max_size)
    except MalformedDocument:
        raise InvalidProviderAnswer(f"{kind}.malformed") from None


def error_code(kind: str, status: int, answer: dict[str, Any]) -> str | None:
    """Return the `error` member of a 4xx answer, None for any other status (RFC 6749 section 5.2).

    Raises `InvalidProviderAnswer` where status and member contradict each other.
    """
    error = answer.get("error")
    if 400 <= status < 500:
        if not isinstance(error, str) or not error:
            raise InvalidProviderAnswer(f"{kind}.refused_without_error")
        return error
    if error is not None:
        raise InvalidProviderAnswer(f"{kind}.error_with_success")
    return None


def raise_if_known(kind: str, error: str) -> None:
    """Raise `ClientRefused` or `ProviderUnavailable` if `error` is the operator's or the provider's fault."""
    if error in _CLIENT_ERRORS:
        raise ClientRefused(f"{kind}.{error}")
    if error in _TRANSIENT_ERRORS:
        raise ProviderUnavailable(f"{kind}.{error}", DEFAULT_RETRY_AFTER)


def parse_retry_after(value: str | None) -> float:
    """Return how many seconds to wait, between 1 and `MAX_RETRY_AFTER`.

    A date, or anything that is not a number of seconds, counts as absent (RFC 9110 section 10.2.3).
    """
    if value is None or not re.fullmatch(r"[0-9]{1,9}", value.strip(), re.ASCII):
        return DEFAULT_RETRY_AFTER
    return min(max(float(value), 1.0), MAX_RETRY_AFTER)
