"""Values that speak of the provider: scopes, claims, the login endpoint's parameters."""

from __future__ import annotations

import re
from typing import Final

from bff.settings.fault import Unacceptable
from bff.settings.values import words

# What only the gateway says to the provider, and what the login endpoint takes for itself.
PROTECTED_PARAMETERS: Final = frozenset(
    {
        "audience", "authorization_details", "claims", "client_assertion", "client_assertion_type", "client_id",
        "client_secret", "code", "code_challenge", "code_challenge_method", "dpop_jkt", "grant_type", "id_token_hint",
        "iss", "nonce", "redirect_uri", "registration", "request", "request_uri", "resource", "response_mode",
        "response_type", "return_to", "scope", "state", "target_link_uri",
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
