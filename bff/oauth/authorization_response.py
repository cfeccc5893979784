"""The authorization response at the redirect URI (RFC 6749 section 4.1.2, RFC 9207)."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping

from bff.errors import LoginFailed
from bff.oauth.metadata import ProviderMetadata
from bff.oauth.query import MalformedQuery, parse_parameters
from bff.oauth.transaction import Transaction

MAX_SIZE = 16 * 1024
_STATE = re.compile(r"[!-~]{1,512}", re.ASCII)
_CODE = re.compile(r"[ -~]{1,4096}", re.ASCII)

# What belongs to answers of the implicit and hybrid flows, or to signed answers: none was asked for.
_FOREIGN_ANSWERS = frozenset({"access_token", "token_type", "expires_in", "id_token", "response", "refresh_token"})

# RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6, RFC 8707 section 2, RFC 9470 section 5.
_REFUSALS = {
    "access_denied": "The login was cancelled, or access was denied.",
    "account_selection_required": "The identity provider needs you to choose an account.",
    "consent_required": "The identity provider needs your consent.",
    "interaction_required": "The identity provider needs you to take part in the login.",
    "invalid_request": "The identity provider did not understand the login request.",
    "invalid_request_object": "The identity provider did not understand the login request.",
    "invalid_request_uri": "The identity provider did not understand the login request.",
    "invalid_scope": "The identity provider refused the permissions that were asked for.",
    "invalid_target": "The identity provider refused the API that access was asked for.",
    "login_required": "You are not logged in at the identity provider.",
    "server_error": "The identity provider had an internal error.",
    "temporarily_unavailable": "The identity provider is overloaded or under maintenance.",
    "unauthorized_client": "The identity provider does not allow this application to log users in.",
    "unmet_authentication_requirements": "The login did not reach the strength that was asked for.",
    "unsupported_response_type": "The identity provider does not allow this application to log users in.",
}
_OTHER_REFUSAL = "The identity provider refused the login."


class ProviderRefusal(LoginFailed):
    """The provider answered the login with an error; `error` is its code if it is a registered one, else `other`.

    `explanation` is a sentence of ours for the user; nothing the provider wrote is kept.
    """

    def __init__(self, error: str) -> None:
        self.error = error if error in _REFUSALS else "other"
        self.explanation = _REFUSALS.get(error, _OTHER_REFUSAL)
        super().__init__(f"provider.{self.error}")


class AnotherUser(ProviderRefusal):
    """Who is logged in is not the one whose login alone it may be, and nothing may be shown to change that.

    A provider that is asked for one user's login refuses it the same way (OpenID Connect Core 1.0 section 3.1.2.2).
    """

    def __init__(self) -> None:
        super().__init__("login_required")
        self.reason = "login.another_user"


class ValidatedCode:
    """An authorization code that passed every check; only `validate_authorization_response` makes one."""

    __slots__ = ("_value",)
    _value: str

    def __init__(self) -> None:
        raise TypeError("a code is validated by validate_authorization_response")

    def reveal(self) -> str:
        """Return the code for the token request."""
        return self._value


def parse_response(encoded: bytes | str, *, max_size: int = MAX_SIZE) -> dict[str, str]:
    """Return the parameters of an answer in a query or a form; raises `LoginFailed`."""
    try:
        return parse_parameters(encoded, max_size=max_size)
    except MalformedQuery:
        raise LoginFailed("callback.malformed") from None


def is_state(value: str) -> bool:
    """Whether the text can be a `state` at all."""
    return _STATE.fullmatch(value) is not None


def response_state(encoded: bytes | str) -> str | None:
    """Return the one `state` of an answer, None if there is none or the answer is malformed.

    It tells which transaction to open; the answer itself has not been checked.
    """
    try:
        state = parse_response(encoded).get("state", "")
    except LoginFailed:
        return None
    return state if is_state(state) else None


def validate_authorization_response(
    parameters: Mapping[str, str],
    *,
    transaction: Transaction,
    metadata: ProviderMetadata,
    requires_issuer: bool = False,
) -> ValidatedCode:
    """Return the code of the answer to this transaction.

    The issuer is looked at before anything else, for an answer of another provider, an error too, says nothing
    about this login (RFC 9207 section 2.4); it must be named if the provider says it does so, and with
    `requires_issuer` whatever it says. Raises `LoginFailed`, and `ProviderRefusal` for an error of the provider.
    """
    _check_issuer(parameters.get("iss"), transaction, metadata, requires_issuer)
    state = parameters.get("state")
    if state is None:
        raise LoginFailed("callback.state_missing")
    if not hmac.compare_digest(state.encode(), transaction.state.encode()):
        raise LoginFailed("callback.state")
    if not _FOREIGN_ANSWERS.isdisjoint(parameters):
        raise LoginFailed("callback.foreign_answer")
    code, error = parameters.get("code"), parameters.get("error")
    if error is not None:
        if code is not None:
            raise LoginFailed("callback.code_with_error")
        raise ProviderRefusal(error)
    if code is None:
        raise LoginFailed("callback.code_missing")
    if not _CODE.fullmatch(code):
        raise LoginFailed("callback.code")
    return _validated(code)


def _check_issuer(
    issuer: str | None, transaction: Transaction, metadata: ProviderMetadata, requires_issuer: bool
) -> None:
    if transaction.issuer != metadata.issuer:
        raise LoginFailed("callback.transaction_issuer")
    if issuer is None:
        if requires_issuer or metadata.authorization_response_iss_parameter_supported:
            raise LoginFailed("callback.issuer_missing")
    elif issuer != transaction.issuer:
        raise LoginFailed("callback.issuer")


def _validated(code: str) -> ValidatedCode:
    validated = object.__new__(ValidatedCode)
    validated._value = code
    return validated
