"""How sure the provider is of who is at the browser: the authentication contexts it offers, the weakest first."""

from typing import Final

NAMED: Final = "urn:example:acr:named"
"""Somebody gave a name."""

CONFIRMED: Final = "urn:example:acr:confirmed"
"""They confirmed that it is them, in a second step."""

CONTEXTS: Final = (NAMED, CONFIRMED)


def wanted_context(acr_values: str) -> str:
    """The context to reach for a request: of those it names the first that is offered, else the weakest.

    `acr_values` are voluntary (OpenID Connect Core 1.0, section 3.1.2.1).
    """
    return next((name for name in acr_values.split() if name in CONTEXTS), NAMED)


def reaches(context: str, wanted: str) -> bool:
    """Whether a login of `context` is as good as one of `wanted`."""
    return CONTEXTS.index(context) >= CONTEXTS.index(wanted)
