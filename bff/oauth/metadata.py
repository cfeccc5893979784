"""The provider's metadata (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from bff.errors import InvalidProviderAnswer
from bff.oauth.endpoint_url import is_endpoint_url, is_loopback_http
from bff.oauth.json_document import MalformedDocument, parse_object
from bff.settings.openid import SIGNATURE_ALGORITHMS

MAX_SIZE = 256 * 1024
_MAX_LIST = 200
# Those of RFC 8705 section 5 that the gateway itself calls.
_ALIASED = ("token_endpoint", "revocation_endpoint", "pushed_authorization_request_endpoint", "userinfo_endpoint")

_LISTS: Final = (
    "response_modes_supported",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "code_challenge_methods_supported",
    "scopes_supported",
    "grant_types_supported",
    "acr_values_supported",
    "dpop_signing_alg_values_supported",
    "request_object_signing_alg_values_supported",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderMetadata:
    """What the gateway uses of a provider's metadata; names as on the wire, None or empty where nothing was said.

    `id_token_signing_alg_values_supported` and `authorization_signing_alg_values_supported` hold only what the gateway
    accepts too: never `none`, never a MAC.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str | None
    userinfo_endpoint: str | None
    revocation_endpoint: str | None
    end_session_endpoint: str | None
    pushed_authorization_request_endpoint: str | None
    require_pushed_authorization_requests: bool
    authorization_response_iss_parameter_supported: bool
    authorization_signing_alg_values_supported: tuple[str, ...]
    response_modes_supported: tuple[str, ...] | None
    backchannel_logout_supported: bool
    backchannel_logout_session_supported: bool
    id_token_signing_alg_values_supported: tuple[str, ...]
    token_endpoint_auth_methods_supported: tuple[str, ...] | None
    token_endpoint_auth_signing_alg_values_supported: tuple[str, ...] | None
    code_challenge_methods_supported: tuple[str, ...] | None
    scopes_supported: tuple[str, ...] | None
    grant_types_supported: tuple[str, ...] | None
    acr_values_supported: tuple[str, ...] | None
    dpop_signing_alg_values_supported: tuple[str, ...] | None
    tls_client_certificate_bound_access_tokens: bool
    request_object_signing_alg_values_supported: tuple[str, ...] | None
    request_parameter_supported: bool
    require_signed_request_object: bool


def metadata_urls(issuer: str, *, openid: bool = True) -> tuple[str, ...]:
    """Return where the issuer's metadata may be, in the order to try (Discovery section 4, RFC 8414 section 3)."""
    base = issuer.removesuffix("/")
    discovery = f"{base}/.well-known/openid-configuration"
    if openid:
        return (discovery,)
    parts = urlsplit(base)
    return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path}", discovery


def parse_metadata(
    document: bytes,
    *,
    issuer: str,
    openid: bool,
    logins: bool = True,
    mutual_tls: bool = False,
    algorithms: Sequence[str] = SIGNATURE_ALGORITHMS,
) -> ProviderMetadata:
    """Return the metadata of exactly this issuer; raises `InvalidProviderAnswer`.

    With `mutual_tls` the endpoints are those where the provider asks for a certificate, if it has such (RFC 8705
    section 5). `algorithms` are those that the provider may sign with.

    The issuer is compared character by character, a trailing slash included (RFC 8414 section 3.3); with `openid`
    the keys' address is required as well. Without `logins` the provider may know nothing of the code flow.
    """
    try:
        members = parse_object(document, max_size=MAX_SIZE)
    except MalformedDocument:
        raise InvalidProviderAnswer("metadata.malformed") from None
    if members.get("issuer") != issuer:
        raise InvalidProviderAnswer("metadata.issuer")
    if mutual_tls:
        members |= _aliases(members)
    loopback_http = is_loopback_http(issuer)
    if logins:
        _require_code_flow(members)
    lists: dict[str, Any] = {name: _list(members, name) for name in _LISTS}
    return ProviderMetadata(
        issuer=issuer,
        authorization_endpoint=_required_endpoint(members, "authorization_endpoint", loopback_http),
        token_endpoint=_required_endpoint(members, "token_endpoint", loopback_http),
        jwks_uri=(_required_endpoint if openid else _endpoint)(members, "jwks_uri", loopback_http),
        userinfo_endpoint=_endpoint(members, "userinfo_endpoint", loopback_http),
        revocation_endpoint=_endpoint(members, "revocation_endpoint", loopback_http),
        end_session_endpoint=_endpoint(members, "end_session_endpoint", loopback_http),
        pushed_authorization_request_endpoint=_endpoint(
            members, "pushed_authorization_request_endpoint", loopback_http
        ),
        require_pushed_authorization_requests=_flag(members, "require_pushed_authorization_requests"),
        authorization_response_iss_parameter_supported=_flag(members, "authorization_response_iss_parameter_supported"),
        authorization_signing_alg_values_supported=_algorithms(
            members, "authorization_signing_alg_values_supported", algorithms
        ),
        backchannel_logout_supported=_flag(members, "backchannel_logout_supported"),
        backchannel_logout_session_supported=_flag(members, "backchannel_logout_session_supported"),
        id_token_signing_alg_values_supported=_id_token_algorithms(members, algorithms, openid),
        tls_client_certificate_bound_access_tokens=_flag(members, "tls_client_certificate_bound_access_tokens"),
        request_parameter_supported=_flag(members, "request_parameter_supported", unsaid=True),
        require_signed_request_object=_flag(members, "require_signed_request_object"),
        **lists,
    )


def _aliases(members: dict[str, Any]) -> dict[str, Any]:
    aliases = members.get("mtls_endpoint_aliases", {})
    if not isinstance(aliases, dict):
        raise InvalidProviderAnswer("metadata.mtls_endpoint_aliases")
    return {name: aliases[name] for name in _ALIASED if aliases.get(name) is not None}


def _require_code_flow(members: dict[str, Any]) -> None:
    _require_listed(members, "response_types_supported", "code")
    _require_listed(members, "grant_types_supported", "authorization_code")
    _require_listed(members, "code_challenge_methods_supported", "S256")


def _required_endpoint(members: dict[str, Any], name: str, loopback_http: bool) -> str:
    url = _endpoint(members, name, loopback_http)
    if url is None:
        raise InvalidProviderAnswer(f"metadata.{name}")
    return url


def _endpoint(members: dict[str, Any], name: str, loopback_http: bool) -> str | None:
    url = members.get(name)
    if url is None:
        return None
    if not is_endpoint_url(url, loopback_http=loopback_http):
        raise InvalidProviderAnswer(f"metadata.{name}")
    return str(url)


def _flag(members: dict[str, Any], name: str, *, unsaid: bool = False) -> bool:
    value = members.get(name)
    if value is None:
        return unsaid
    if not isinstance(value, bool):
        raise InvalidProviderAnswer(f"metadata.{name}")
    return value


def _list(members: dict[str, Any], name: str) -> tuple[str, ...] | None:
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > _MAX_LIST or not all(isinstance(x, str) for x in value):
        raise InvalidProviderAnswer(f"metadata.{name}")
    return tuple(value)


def _require_listed(members: dict[str, Any], name: str, needed: str) -> None:
    listed = _list(members, name)
    if listed is not None and needed not in listed:
        raise InvalidProviderAnswer(f"metadata.{name}")


def _algorithms(members: dict[str, Any], name: str, algorithms: Sequence[str]) -> tuple[str, ...]:
    listed = _list(members, name)
    if listed is None:
        # The default of ID tokens (OpenID Connect Core section 15.1) and of signed responses (JARM section 3); where
        # that may not be, the client is registered for one that may.
        return ("RS256",) if "RS256" in algorithms else tuple(algorithms)
    return tuple(name for name in listed if name in algorithms)


def _id_token_algorithms(members: dict[str, Any], algorithms: Sequence[str], openid: bool) -> tuple[str, ...]:
    accepted = _algorithms(members, "id_token_signing_alg_values_supported", algorithms)
    if openid and not accepted:
        raise InvalidProviderAnswer("metadata.id_token_signing_alg_values_supported")
    return accepted
