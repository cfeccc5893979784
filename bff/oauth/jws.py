"""Signed tokens in compact serialisation (RFC 7515), verified with the provider's keys and nothing else."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from joserfc.jws import JWSRegistry

from bff.errors import LoginFailed
from bff.oauth.base64url import decode
from bff.oauth.json_document import MalformedDocument, parse_object
from bff.oauth.keys import ProviderKeys
from bff.settings.openid import SIGNATURE_ALGORITHMS

# Real ID tokens with hundreds of group memberships stay below 20 KB; an attacker's parser bombs do not.
MAX_TOKEN_SIZE = 32 * 1024
_MAX_SIGNATURE_SIZE = 1024


class InvalidToken(LoginFailed):
    """A signed token is not what it must be; `reason` names the rule it breaks."""


class UnknownKey(InvalidToken):
    """No key at hand verifies the token, and the provider may have published a new one since."""


@dataclass(frozen=True, slots=True, repr=False)
class VerifiedToken:
    """The algorithm of a signature that verified, and the claims under it."""

    algorithm: str
    claims: dict[str, Any]


def verify_signature(
    token: str,
    keys: ProviderKeys,
    algorithms: Collection[str],
    *,
    kind: str,
    types: Collection[str],
    may_repeat: bool = False,
) -> VerifiedToken:
    """Return the claims of a token signed by one of `keys` with one of `algorithms`.

    `kind` begins the reason of every error; `types` are the media types the `typ` header may name, in lower case and
    without `application/`, when it is there (RFC 8725 section 3.11). Keys and addresses of keys in the header are
    never used. With `may_repeat` a claim may come again with the same text (RFC 7519 section 4 leaves that to us).
    Raises `InvalidToken`, and its subclass `UnknownKey` if fresher keys may help.
    """
    if len(token) > MAX_TOKEN_SIZE:
        raise InvalidToken(f"{kind}.too_large")
    header_part, payload_part, signature_part = _split(token, kind)
    try:
        header = parse_object(decode(header_part), max_size=MAX_TOKEN_SIZE)
        payload = decode(payload_part)
        signature = decode(signature_part)
    except ValueError:
        raise InvalidToken(f"{kind}.malformed") from None
    algorithm = _check_header(header, algorithms, types, kind)
    if not 0 < len(signature) <= _MAX_SIGNATURE_SIZE:
        raise InvalidToken(f"{kind}.signature")
    signed = f"{header_part}.{payload_part}".encode("ascii")
    _verify(signed, signature, keys, algorithm, header.get("kid"), kind)
    try:
        return VerifiedToken(algorithm, parse_object(payload, max_size=MAX_TOKEN_SIZE, may_repeat=may_repeat))
    except MalformedDocument:
        raise InvalidToken(f"{kind}.malformed") from None


def is_encrypted(token: str) -> bool:
    """Whether the text is an encrypted token (RFC 7516 section 3.1), which the gateway cannot read."""
    parts = token.split(".")
    if len(parts) != 5 or len(token) > MAX_TOKEN_SIZE:
        return False
    try:
        return "enc" in parse_object(decode(parts[0]), max_size=MAX_TOKEN_SIZE)
    except ValueError:
        return False


def _split(token: str, kind: str) -> tuple[str, str, str]:
    parts = token.split(".")
    if is_encrypted(token):
        raise InvalidToken(f"{kind}.encrypted")
    if len(parts) != 3:
        raise InvalidToken(f"{kind}.malformed")
    return parts[0], parts[1], parts[2]


def _check_header(header: dict[str, Any], algorithms: Collection[str], types: Collection[str], kind: str) -> str:
    algorithm = header.get("alg")
    if (
        not isinstance(algorithm, str)
        or algorithm not in SIGNATURE_ALGORITHMS
        or not (algorithm in algorithms or equivalent(algorithm) in algorithms)
    ):
        raise InvalidToken(f"{kind}.algorithm")
    if "crit" in header or "b64" in header:
        # No extension is understood, so every critical one is refused (RFC 7515 section 4.1.11).
        raise InvalidToken(f"{kind}.critical")
    if "typ" in header:
        typ = header["typ"]
        if not isinstance(typ, str) or typ.lower().removeprefix("application/") not in types:
            raise InvalidToken(f"{kind}.type")
    if not isinstance(header.get("kid", ""), str):
        raise InvalidToken(f"{kind}.malformed")
    return algorithm


def equivalent(algorithm: str) -> str:
    """Return the other name of the same signature algorithm (RFC 9864 section 2.2)."""
    return {"EdDSA": "Ed25519", "Ed25519": "EdDSA"}.get(algorithm, algorithm)


def _verify(signed: bytes, signature: bytes, keys: ProviderKeys, algorithm: str, kid: str | None, kind: str) -> None:
    verifier = JWSRegistry.algorithms[algorithm]
    for key in keys.candidates(algorithm, kid):
        if verifier.verify(signed, signature, key.public):
            return
    if keys.has(algorithm, kid):
        raise InvalidToken(f"{kind}.signature")
    raise UnknownKey(f"{kind}.key")
