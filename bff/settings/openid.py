"""Values that speak of the provider: scopes, claims, the login endpoint's parameters."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

from bff.settings.fault import Unacceptable
from bff.settings.values import words

# What only the gateway says to the provider, and what the login endpoint takes for itself.
PROTECTED_PARAMETERS: Final = frozenset(
    {
        "audience", "authorization_details", "claims", "client_assertion", "client_assertion_type", "client_id",
        "client_secret", "code", "code_challenge", "code_challenge_method", "dpop_jkt", "grant_type", "id_token_hint",
        "iss", "nonce", "redirect_uri", "registration", "request", "request_uri", "resource", "response_mode",
        "response_type", "return_to", "scope", "state", "sub", "target_link_uri",
    }
)  # fmt: skip

SIGNATURE_ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
"""What ID tokens may be signed with: asymmetric algorithms, never `none`, never a MAC under the client's secret."""

_SCOPE = re.compile(r"[!#-\[\]-~]+")
_PARAMETER = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_CONTEXT = re.compile(r"[!#-\[\]-~]{1,256}")
_VALUE = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,1024}")
_CLAIM = re.compile(r"[!#-\[\]-~]{1,256}")


def scopes(text: str) -> tuple[str, ...]:
    """Return the scopes to ask for (RFC 6749 section 3.3); raises `Unacceptable`."""
    if "," in text:
        # `openid,profile` would be one unknown scope, and a login without ID token.
        raise Unacceptable("must be separated by spaces, not commas", "Write for example openid profile email")
    found = words(text)
    if not all(_SCOPE.fullmatch(scope) for scope in found):
        raise Unacceptable("must be visible ASCII without quotes and backslashes", "Correct the names of the scopes")
    if "openid" not in found and "openid" in (scope.lower() for scope in found):
        raise Unacceptable("must have openid in lower case", "Write openid; without it there is no ID token")
    return found


def signature_algorithm(text: str) -> str:
    """Return the name of a signature algorithm, in whatever case it is written; raises `Unacceptable`."""
    for name in SIGNATURE_ALGORITHMS:
        if name.lower() == text.strip().lower():
            return name
    raise Unacceptable(
        f"must be one of {', '.join(SIGNATURE_ALGORITHMS)}",
        "Write the id_token_signed_response_alg that this client has at the provider; not none, not HS256",
    )


def login_parameters(text: str) -> tuple[str, ...]:
    """Return names of query parameters that the login endpoint passes on, `none` for none; raises `Unacceptable`."""
    if text.strip().lower() == "none":
        return ()
    found = words(text)
    if not all(_PARAMETER.fullmatch(name) for name in found):
        raise Unacceptable("must be names made of letters, digits and _.-", "Correct the names")
    protected = sorted(name for name in found if is_protected(name))
    if protected:
        raise Unacceptable(
            f"must not contain {', '.join(protected)}: the gateway alone sets what the protocol relies on",
            "Remove these names",
        )
    return found


def authorization_parameters(text: str) -> tuple[tuple[str, str], ...]:
    """Return parameters for every authorization request, written as in a query; raises `Unacceptable`."""
    try:
        found = tuple(parse_qsl(text.strip(), keep_blank_values=True, strict_parsing=True, errors="strict"))
    except ValueError:
        raise Unacceptable(
            "must be written as in a query", "Write for example access_type=offline&prompt=consent"
        ) from None
    names = login_parameters(" ".join(name for name, _ in found))
    for name, value in found:
        if not _VALUE.fullmatch(value):
            raise Unacceptable(f"must have a value for {name}, without control characters", "Write one, or remove it")
    values = dict(found)
    if len(names) != len(found):
        raise Unacceptable("must not have spaces in names", "Correct the names")
    if "none" in values.get("prompt", "").split():
        raise Unacceptable("must not contain prompt=none: nobody could log in", "Ask for it in single links")
    if not re.fullmatch(r"[0-9]{1,9}", values.get("max_age", "0"), re.ASCII):
        raise Unacceptable("must have a max_age in seconds", "Write digits alone, for example max_age=3600")
    return found


def is_protected(name: str) -> bool:
    """Whether a parameter of the authorization request may never come from a link."""
    return name.lower() in PROTECTED_PARAMETERS or name.lower().startswith("code_challenge")


def claims(text: str) -> tuple[str, ...]:
    """Return names of claims, which may be URIs; raises `Unacceptable`."""
    found = words(text)
    if not all(_CLAIM.fullmatch(claim) for claim in found):
        raise Unacceptable("must be names of claims in visible ASCII", "Correct the names")
    return found


def authentication_contexts(text: str) -> tuple[str, ...]:
    """Return authentication context class references (OpenID Connect Core section 2); raises `Unacceptable`."""
    if "," in text:
        raise Unacceptable("must be separated by spaces, not commas", 'Write a list, for example ["gold", "silver"]')
    found = words(text)
    if not all(_CONTEXT.fullmatch(name) for name in found):
        raise Unacceptable("must be visible ASCII without quotes and backslashes", "Correct the names of the contexts")
    return found
