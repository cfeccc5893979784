"""Every error the gateway raises, by whose fault it is.

    GatewayError
    ├── BrowserError                 the request cannot be granted as it was made
    │   ├── BadRequest               bad_request           400
    │   ├── NoSession                no_session            401   no (single, well-formed) session cookie
    │   │   ├── SessionExpired       session_expired       401   idle or absolute limit passed
    │   │   ├── SessionEnded         session_ended         401   logout here or there, or the provider's invalid_grant
    │   │   └── StepUpRequired       step_up_required      401
    │   ├── CrossOriginRejected      csrf_rejected         403
    │   ├── InsufficientScope        insufficient_scope    403
    │   ├── NotFound                 not_found             404
    │   ├── MethodNotAllowed         method_not_allowed    405
    │   ├── BodyTooLarge             body_too_large        413
    │   ├── TooManySockets           too_many_sockets      429
    │   └── HeadersTooLarge          headers_too_large     431
    ├── ProviderError                the authorization server's answer cannot be used
    │   ├── LoginFailed              login_failed          400   an answer to a login was refused, or refused us
    │   ├── InvalidProviderAnswer    provider_unavailable  503   malformed, oversized or contradictory
    │   ├── GrantRefused             session_ended         401   `invalid_grant`
    │   └── ProviderUnavailable      provider_unavailable  503   network, time-out, 5xx, 429
    │       └── ProviderBusy         provider_unavailable  503   not asked: too many requests to it are under way here
    ├── UpstreamError
    │   ├── UpstreamUnavailable      upstream_unavailable  502
    │   └── UpstreamTimeout          upstream_timeout      504
    ├── StoreUnavailable             store_unavailable     503   sessions can neither be read nor written now
    ├── InternalFault                internal              500   a defect of the gateway
    └── OperatorError                the configuration or the registration at the provider is wrong
        ├── ClientRefused            provider_unavailable  503   `invalid_client` and its kin
        └── SettingsInvalid          (start-up only, exit status 2)

`code` and `status` are public (RFC 9457 problem details); `reason` is for the log line: a short, stable,
dotted word that never holds anything the browser, the provider or the upstream sent.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import ClassVar


class GatewayError(Exception):
    """Base of all errors that become an answer; `reason` goes to the log, never to the browser."""

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    log_level: ClassVar[int] = logging.INFO
    retry_after: float | None = None

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason or type(self).__name__)
        self.reason = reason


class BrowserError(GatewayError):
    """The request cannot be granted as it was made."""


class BadRequest(BrowserError):
    code, status, title = "bad_request", 400, "The request is malformed."


class NoSession(BrowserError):
    """No session belongs to the request; the answer carries a `login_url`."""

    code, status, title = "no_session", 401, "Nobody is logged in."


class SessionExpired(NoSession):
    code, status, title = "session_expired", 401, "The session has expired."


class SessionEnded(NoSession):
    code, status, title = "session_ended", 401, "The session has been ended."


class StepUpRequired(NoSession):
    """The login is too weak or too old for this call; `login_query` asks for a better one (RFC 9470)."""

    code, status, title = "step_up_required", 401, "A stronger or more recent login is needed."

    def __init__(self, reason: str, *, login_query: str) -> None:
        super().__init__(reason)
        self.login_query = login_query


class CrossOriginRejected(BrowserError):
    code, status, title = "csrf_rejected", 403, "The request did not come from this application."


class InsufficientScope(BrowserError):
    code, status, title = "insufficient_scope", 403, "The permission for this was not granted at login."


class NotFound(BrowserError):
    code, status, title = "not_found", 404, "There is nothing here."


class MethodNotAllowed(BrowserError):
    code, status, title = "method_not_allowed", 405, "This method is not allowed here."

    def __init__(self, allowed: Sequence[str], reason: str = "") -> None:
        super().__init__(reason)
        self.allowed = tuple(allowed)


class BodyTooLarge(BrowserError):
    code, status, title = "body_too_large", 413, "The request body is too large."


class TooManySockets(BrowserError):
    code, status, title = "too_many_sockets", 429, "Too many WebSockets are open in this session."


class HeadersTooLarge(BrowserError):
    code, status, title = "headers_too_large", 431, "The request header is too large."


class ProviderError(GatewayError):
    """The authorization server's answer cannot be used."""

    log_level = logging.WARNING


class LoginFailed(ProviderError):
    """A login was refused by the provider, or its answer by the gateway."""

    code, status, title = "login_failed", 400, "The login could not be completed."


class InvalidProviderAnswer(ProviderError):
    """An answer of the provider is malformed, too large or contradicts itself."""

    code, status, title = "provider_unavailable", 503, "The identity provider gave an unusable answer."
    retry_after = 5.0


class GrantRefused(ProviderError):
    """The token endpoint answered `invalid_grant` (RFC 6749 section 5.2)."""

    code, status, title = "session_ended", 401, "The session has been ended."
    log_level = logging.INFO


class ProviderUnavailable(ProviderError):
    """The provider cannot be reached, timed out, or answered that it cannot serve now."""

    code, status, title = "provider_unavailable", 503, "The identity provider cannot be reached."

    def __init__(self, reason: str = "", retry_after: float = 5.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class ProviderBusy(ProviderUnavailable):
    """The gateway has as many requests to the provider under way as it may; this one was not made.

    It says nothing about the provider.
    """


class UpstreamError(GatewayError):
    """The upstream API gave no usable answer."""

    log_level = logging.WARNING


class UpstreamUnavailable(UpstreamError):
    code, status, title = "upstream_unavailable", 502, "The API cannot be reached."


class UpstreamTimeout(UpstreamError):
    code, status, title = "upstream_timeout", 504, "The API did not answer in time."


class StoreUnavailable(GatewayError):
    """The session store cannot be reached; nothing was decided about any session."""

    code, status, title = "store_unavailable", 503, "Sessions cannot be read at the moment."
    log_level = logging.ERROR
    retry_after = 2.0


class InternalFault(GatewayError):
    """Something went wrong that nobody foresaw; the log has where."""

    code, status, title = "internal", 500, "Something went wrong in the gateway."
    log_level = logging.ERROR


def as_gateway_error(error: Exception) -> GatewayError:
    """Return the error if it is one of these, else log where it was raised and return an `InternalFault`."""
    if isinstance(error, GatewayError):
        return error
    logging.getLogger("bff").error("internal_fault", exc_info=error)
    return InternalFault(f"internal.{type(error).__name__}")


class OperatorError(GatewayError):
    """The configuration, or the client's registration at the provider, is wrong."""

    log_level = logging.ERROR


class ClientRefused(OperatorError):
    """The provider refused the client itself: `invalid_client`, `unauthorized_client` and kin."""

    code, status, title = "provider_unavailable", 503, "The identity provider refused this application."
    retry_after = 30.0


class SettingsInvalid(OperatorError):
    """The environment does not describe a gateway; `faults` lists all that is wrong with it."""

    code, status, title = "settings_invalid", 500, "The configuration is invalid."

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("settings")
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return "\n".join(self.faults)
