"""The answer to a pushed authorization request (RFC 9126 sections 2.2 and 2.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bff.errors import InvalidProviderAnswer, LoginFailed
from bff.oauth.provider_answer import error_code, parse_answer, raise_if_known

MAX_SIZE = 64 * 1024

_KIND = "par"
_REQUEST_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]{1,2000}", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False)
class PushedRequest:
    """The reference to send the browser with, once; `expires_in` is in seconds."""

    request_uri: str
    expires_in: float


def parse_pushed_response(status: int, body: bytes, *, retry_after: str | None = None) -> PushedRequest:
    """Return the reference; 200 is taken for the 201 it should be.

    Raises `ProviderUnavailable`, `ClientRefused` for the client's own faults, `InvalidProviderAnswer`, and
    `LoginFailed` for any other refusal: the next attempt may pass.
    """
    answer = parse_answer(_KIND, status, body, max_size=MAX_SIZE, retry_after=retry_after)
    error = error_code(_KIND, status, answer)
    if error is not None:
        raise_if_known(_KIND, error)
        raise LoginFailed(f"{_KIND}.unknown_error")
    if status not in (200, 201):
        raise InvalidProviderAnswer(f"{_KIND}.status")
    request_uri, expires_in = answer.get("request_uri"), answer.get("expires_in")
    if not isinstance(request_uri, str) or not _REQUEST_URI.fullmatch(request_uri):
        raise InvalidProviderAnswer(f"{_KIND}.request_uri")
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float) or expires_in <= 0:
        raise InvalidProviderAnswer(f"{_KIND}.expires_in")
    return PushedRequest(request_uri, float(expires_in))
