"""Security profiles: one switch that sets what FAPI 2.0 asks of a client, and refuses what contradicts it.

FAPI 2.0 Security Profile section 5.3.3, with Message Signing sections 5.3 and 5.4 for the second of them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from bff.settings.fault import Faults

FAPI2: Final = "fapi2"
FAPI2_MESSAGE_SIGNING: Final = "fapi2-message-signing"
PROFILES: Final = (FAPI2, FAPI2_MESSAGE_SIGNING)

PROFILE_ALGORITHMS: Final = ("PS256", "ES256", "EdDSA", "Ed25519")
"""What the gateway and the provider may sign with under a profile (FAPI 2.0 Security Profile section 5.4.1)."""

_KEY_BASED: Final = ("private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")


def apply_profile(values: dict[str, Any], given: Collection[str], broken: Collection[str], faults: Faults) -> None:
    """Set what the profile in `values` demands, and add where what was `given` contradicts it.

    `given` are the names of the variables that the environment has set, `broken` those that are at fault already.
    """
    profile = values.get("BFF_PROFILE")
    if profile is None:
        return
    has_certificate = "BFF_CLIENT_CERT" in values or "BFF_CLIENT_CERT" in broken
    by_certificate = has_certificate and "BFF_CLIENT_KEY" not in given
    methods = _KEY_BASED[1:] if by_certificate else _KEY_BASED
    demands: dict[str, tuple[str, ...]] = {
        "BFF_CLIENT_AUTH": methods,
        "BFF_PAR": ("require",),
        # Tokens are bound to the certificate if there is one, else to a key of the session.
        "BFF_DPOP": ("off", "require") if has_certificate else ("require",),
    }
    if profile == FAPI2_MESSAGE_SIGNING:
        demands |= {"BFF_REQUEST_OBJECT": ("signed",), "BFF_RESPONSE_MODE": ("jwt", "form_post.jwt")}
    for name, allowed in demands.items():
        if name not in given:
            values[name] = allowed[0]
        elif name not in broken and values[name] not in allowed:
            choice = " or ".join(allowed)
            faults.add(name, f"must be {choice} under BFF_PROFILE={profile}", f"Remove it, or set {allowed[0]}")
    if "BFF_CLIENT_SECRET" in given:
        faults.add(
            "BFF_CLIENT_SECRET",
            f"has no place under BFF_PROFILE={profile}, where the client proves itself by a key",
            "Remove it; set BFF_CLIENT_KEY, or BFF_CLIENT_CERT with its key",
        )
    if values.get("BFF_ID_TOKEN_ALG", PROFILE_ALGORITHMS[0]) not in PROFILE_ALGORITHMS:
        faults.add(
            "BFF_ID_TOKEN_ALG",
            f"must be one of {', '.join(PROFILE_ALGORITHMS)} under BFF_PROFILE={profile}",
            "Have the provider sign ID tokens with one of these for this client",
        )
