"""The gateway's kinds of cookie: their names, their values and their `Set-Cookie` lines (RFC 6265bis).

     session       __Host-Http-bff                  43 characters: 256 random bits, meaning nothing by themselves
     login         __Host-Http-bff-login-<16 hex>   the sealed transaction of one login, named after its state
     silent        __Host-Http-bff-login-silent     how many silent logins have failed in a row, for a minute

A cookie is deleted with exactly the attributes it was set with; otherwise the browser keeps it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from typing import Final

HANDLE_LENGTH: Final = 32
TRANSACTION_MAX_AGE: Final = 600
"""Seconds a login may take."""

SILENT_MAX_AGE: Final = 60
"""Seconds after which failed silent logins are forgotten."""

_ENCODED_LENGTH: Final = 43
# The last of 43 characters carries four bits of the handle and two that must be zero.
_CANONICAL_ENDINGS: Final = frozenset(b"AEIMQUYcgkosw048")
# base64url read with the strict base64 decoder: its own two signs become characters that are in neither alphabet.
_TO_BASE64: Final = bytes.maketrans(b"-_+/", b"+/!!")
_DELETED: Final = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"


def encode_handle(handle: bytes) -> str:
    """Return the 32 bytes as 43 base64url characters without padding."""
    return base64.urlsafe_b64encode(handle).rstrip(b"=").decode()


def decode_handle(value: bytes) -> bytes | None:
    """Return the 32 bytes of a cookie value, or None for anything but their one encoding."""
    if len(value) != _ENCODED_LENGTH or value[-1] not in _CANONICAL_ENDINGS:
        return None
    try:
        return binascii.a2b_base64(value.translate(_TO_BASE64) + b"=", strict_mode=True)
    except binascii.Error:
        return None


class SessionCookies:
    """Names and `Set-Cookie` field values of one gateway; `cookie_name` comes without its prefix.

    On https every name has the prefix `__Host-Http-`: the browser takes such a cookie only from a secure response
    of exactly this host, and never from a script.
    """

    __slots__ = ("_prefix_bytes", "_session_attributes", "_transaction_attributes", "session_name", "silent_name")

    def __init__(self, cookie_name: str, is_secure: bool) -> None:
        self.session_name = f"__Host-Http-{cookie_name}" if is_secure else cookie_name
        secure = "; Secure" if is_secure else ""
        self._session_attributes = f"; Path=/; HttpOnly; SameSite=Strict{secure}"
        self._transaction_attributes = f"; Path=/; HttpOnly; SameSite=Lax{secure}"
        self._prefix_bytes = f"{self.session_name}-login-".encode()
        self.silent_name = f"{self.session_name}-login-silent"

    def set_session(self, handle: bytes) -> str:
        """Return the field value that gives the browser a session's handle until it closes."""
        return f"{self.session_name}={encode_handle(handle)}{self._session_attributes}"

    def clear_session(self) -> str:
        """Return the field value that deletes the session cookie."""
        return f"{self.session_name}={self._session_attributes}{_DELETED}"

    def transaction_name(self, state: str) -> str:
        """Return the name of the cookie of the login with this `state`."""
        return f"{self.session_name}-login-{hashlib.sha256(state.encode()).hexdigest()[:16]}"

    def set_transaction(self, name: str, value: str) -> str:
        """Return the field value of a login's cookie; it comes back on the provider's redirect, so it is Lax."""
        return f"{name}={value}{self._transaction_attributes}; Max-Age={TRANSACTION_MAX_AGE}"

    def clear_transaction(self, name: str) -> str:
        """Return the field value that deletes a login's cookie."""
        return f"{name}={self._transaction_attributes}{_DELETED}"

    def set_silent(self, failures: int) -> str:
        """Return the field value that counts failed silent logins; the way there may begin at another site."""
        return f"{self.silent_name}={failures}{self._transaction_attributes}; Max-Age={SILENT_MAX_AGE}"

    def clear_silent(self) -> str:
        """Return the field value that forgets failed silent logins."""
        return f"{self.silent_name}={self._transaction_attributes}{_DELETED}"

    def transaction_names(self, pairs: Iterable[tuple[bytes, bytes]]) -> list[str]:
        """Return the names of this gateway's login cookies among the request's cookie pairs, each once, in order."""
        found = (
            name.decode("ascii")
            for name, _ in pairs
            if name.startswith(self._prefix_bytes) and _is_hex16(name[len(self._prefix_bytes) :])
        )
        return list(dict.fromkeys(found))


def _is_hex16(digits: bytes) -> bool:
    return len(digits) == 16 and all(digit in b"0123456789abcdef" for digit in digits)
