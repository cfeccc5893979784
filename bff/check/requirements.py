"""All requirements that are judged, in the order in which they are shown."""

from __future__ import annotations

from typing import Final

from bff.check.posture import Requirement
from bff.check.posture_bcp import BCP_REQUIREMENTS
from bff.check.posture_bff import BFF_REQUIREMENTS
from bff.check.posture_binding import DPOP_REQUIREMENTS, MTLS_REQUIREMENTS
from bff.check.posture_fapi import FAPI_REQUIREMENTS
from bff.check.posture_openid import (
    BCL_REQUIREMENTS,
    ISS_REQUIREMENTS,
    JARM_REQUIREMENTS,
    OIDC_REQUIREMENTS,
    RPL_REQUIREMENTS,
)
from bff.check.posture_par import PAR_REQUIREMENTS
from bff.check.posture_request_object import JAR_REQUIREMENTS
from bff.check.posture_tokens import EXCHANGE_REQUIREMENTS, RESOURCE_REQUIREMENTS, STEP_UP_REQUIREMENTS

REQUIREMENTS: Final[tuple[Requirement, ...]] = (
    *BFF_REQUIREMENTS,
    *BCP_REQUIREMENTS,
    *PAR_REQUIREMENTS,
    *DPOP_REQUIREMENTS,
    *MTLS_REQUIREMENTS,
    *JAR_REQUIREMENTS,
    *FAPI_REQUIREMENTS,
    *RESOURCE_REQUIREMENTS,
    *EXCHANGE_REQUIREMENTS,
    *STEP_UP_REQUIREMENTS,
    *ISS_REQUIREMENTS,
    *OIDC_REQUIREMENTS,
    *JARM_REQUIREMENTS,
    *RPL_REQUIREMENTS,
    *BCL_REQUIREMENTS,
)

STANDARDS: Final = {
    "BFF": "RFC 10017 section 6.1, backends for frontends",
    "BCP": "RFC 9700, OAuth security best current practice",
    "PAR": "RFC 9126, pushed authorization requests",
    "DPOP": "RFC 9449, tokens bound to a key",
    "MTLS": "RFC 8705, mutual TLS",
    "JAR": "RFC 9101, signed authorization requests",
    "FAPI": "FAPI 2.0 Security Profile and Message Signing",
    "RES": "RFC 8707, resource indicators",
    "TX": "RFC 8693, token exchange",
    "STEP": "RFC 9470, step-up authentication",
    "ISS": "RFC 9207, the issuer in authorization responses",
    "OIDC": "OpenID Connect Core 1.0",
    "JARM": "JWT Secured Authorization Response Mode",
    "RPL": "OpenID Connect RP-Initiated Logout 1.0",
    "BCL": "OpenID Connect Back-Channel Logout 1.0",
}
"""What each prefix of the identifiers stands for."""
