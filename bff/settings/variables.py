"""The one table of the gateway's environment variables: names, defaults, meanings, and how each value is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bff.settings.credentials import certificate_key, client_certificate, client_secret, private_key, secret_keys
from bff.settings.openid import authorization_parameters, claims, login_parameters, scopes, signature_algorithm
from bff.settings.profile import PROFILES
from bff.settings.redis_url import parse_redis_url
from bff.settings.route import parse_prefix
from bff.settings.routes import parse_json
from bff.settings.urls import (
    parse_absolute_uri,
    parse_dev_server_url,
    parse_issuer,
    parse_page_url,
    parse_public_url,
    parse_upstream_url,
)
from bff.settings.values import (
    choice,
    cookie_name,
    duration,
    integer,
    listen_address,
    local_path,
    networks,
    optional_port,
    printable_text,
    size,
    switch,
    visible_text,
)

DAY: Final = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable; `default` is written as it would be in the environment, None if the variable has none.

    A secret may be given as the path of a file in `<name>_FILE`.
    """

    name: str
    meaning: str
    parse: Callable[[str], Any]
    default: str | None = None
    required: bool = False
    secret: bool = False

    @property
    def attribute(self) -> str:
        """The attribute of `Settings`."""
        return self.name.removeprefix("BFF_").lower()


CLIENT_AUTHENTICATION: Final = (
    *("client_secret_basic", "client_secret_post", "private_key_jwt"),
    *("tls_client_auth", "self_signed_tls_client_auth"),
)

VARIABLES: Final = (
    # Where the gateway is
    Variable(
        name="BFF_PUBLIC_URL", parse=parse_public_url, required=True,
        meaning="The origin browsers use, such as https://app.example.com; http only for this machine.",
    ),
    Variable(name="BFF_HOST", parse=listen_address, default="127.0.0.1", meaning="The address to listen on."),
    Variable(name="BFF_PORT", parse=integer(1, 65535), default="8080", meaning="The port to listen on."),
    Variable(
        name="BFF_WORKERS", parse=integer(1, 256), default="1",
        meaning="The number of processes; more than one needs BFF_REDIS_URL.",
    ),
    Variable(
        name="BFF_TRUSTED_PROXIES", parse=networks, default="none",
        meaning="Networks of proxies that are believed about the client's address, in CIDR notation.",
    ),
    # The identity provider
    Variable(
        name="BFF_ISSUER", parse=parse_issuer, required=True,
        meaning="The provider's issuer identifier, exactly as in its metadata.",
    ),
    Variable(
        name="BFF_CLIENT_ID", parse=visible_text, required=True,
        meaning="The client's identifier at the provider.",
    ),
    Variable(
        name="BFF_CLIENT_AUTH", parse=choice(*CLIENT_AUTHENTICATION), default="client_secret_basic",
        meaning="How the client authenticates: with its secret, private_key_jwt, or by its certificate.",
    ),
    Variable(
        name="BFF_CLIENT_SECRET", parse=client_secret, secret=True,
        meaning="The client's secret, with client_secret_basic and client_secret_post.",
    ),
    Variable(
        name="BFF_CLIENT_KEY", parse=private_key, secret=True,
        meaning="The client's private key (JWK, JWK Set or PEM), with private_key_jwt.",
    ),
    Variable(
        name="BFF_CLIENT_CERT", parse=client_certificate,
        meaning="The client's certificate for mutual TLS (RFC 8705) with its chain: PEM, or the path of a PEM file.",
    ),
    Variable(
        name="BFF_CLIENT_CERT_KEY", parse=certificate_key, secret=True,
        meaning="The private key of the client's certificate, PEM.",
    ),
    Variable(
        name="BFF_CA_FILE", parse=Path,
        meaning="A PEM file of further CA certificates for provider, upstreams and Redis.",
    ),
    Variable(
        name="BFF_SCOPES", parse=scopes, default="openid profile email offline_access",
        meaning="The scopes to ask for; without openid there is no ID token (plain OAuth).",
    ),
    Variable(name="BFF_AUDIENCE", parse=printable_text, meaning="The audience parameter that some providers want."),
    Variable(
        name="BFF_RESOURCE", parse=parse_absolute_uri,
        meaning="The resource the access token is for, an absolute URI (RFC 8707).",
    ),
    Variable(
        name="BFF_PAR", parse=choice("auto", "require", "off"), default="auto",
        meaning="Pushed authorization requests (RFC 9126): auto, require or off.",
    ),
    Variable(
        name="BFF_DPOP", parse=choice("off", "auto", "require"), default="off",
        meaning="Access tokens bound to a key of the session (RFC 9449): off, auto or require.",
    ),
    Variable(
        name="BFF_RESPONSE_MODE", parse=choice("query", "form_post", "jwt", "form_post.jwt"), default="query",
        meaning="How the provider answers a login: query, form_post, or signed (JARM): jwt, form_post.jwt.",
    ),
    Variable(
        name="BFF_REQUEST_OBJECT", parse=choice("off", "signed"), default="off",
        meaning="Whether authorization requests are signed with BFF_CLIENT_KEY (RFC 9101): off or signed.",
    ),
    Variable(
        name="BFF_PROFILE", parse=choice(*PROFILES),
        meaning="A security profile that is set and enforced as a whole: fapi2 or fapi2-message-signing.",
    ),
    Variable(
        name="BFF_USERINFO", parse=choice("auto", "on", "off"), default="auto",
        meaning="Whether the UserInfo endpoint is asked at login: auto, on or off.",
    ),
    Variable(
        name="BFF_ID_TOKEN_ALG", parse=signature_algorithm,
        meaning="The one algorithm that ID tokens and logout tokens are signed with, such as RS256 or ES256.",
    ),
    Variable(
        name="BFF_ID_TOKEN_HINT", parse=switch, default="on",
        meaning="Whether the logout URL carries the ID token (RP-Initiated Logout): on or off.",
    ),
    Variable(
        name="BFF_LOGIN_PARAMS", parse=login_parameters, default="login_hint ui_locales prompt acr_values max_age",
        meaning="Query parameters of /bff/login that are passed on to the provider.",
    ),
    Variable(
        name="BFF_AUTHORIZATION_PARAMS", parse=authorization_parameters,
        meaning="Further parameters of every authorization request, such as access_type=offline&prompt=consent.",
    ),
    Variable(
        name="BFF_SILENT_LOGIN", parse=choice("off", "on"), default="off",
        meaning="Whether pages may log in by a frame that shows nothing, /bff/login/silent: off or on.",
    ),
    Variable(
        name="BFF_LOGOUT_URL", parse=parse_page_url,
        meaning="Where the browser logs out at the provider, as it is; instead of the end-session endpoint.",
    ),
    # Sessions
    Variable(
        name="BFF_SECRET_KEYS", parse=secret_keys, secret=True,
        meaning="Keys that seal sessions, newest first, at least 32 bytes each (bff keygen); required with Redis.",
    ),
    Variable(
        name="BFF_REDIS_URL", parse=parse_redis_url, secret=True,
        meaning="Where sessions are kept; unset, they are in this process's memory and lost when it ends.",
    ),
    Variable(
        name="BFF_SESSION_IDLE", parse=duration(1, 365 * DAY), default="30m",
        meaning="A session ends when it has not been used for this long.",
    ),
    Variable(
        name="BFF_SESSION_MAX", parse=duration(1, 365 * DAY), default="8h",
        meaning="A session ends this long after the login, used or not.",
    ),
    Variable(
        name="BFF_SESSION_CLAIMS", parse=claims,
        default="sub name given_name family_name preferred_username email email_verified picture locale",
        meaning="The claims that /bff/session shows to the page.",
    ),
    Variable(
        name="BFF_COOKIE_NAME", parse=cookie_name, default="bff",
        meaning="The name of the session cookie; on https the prefix __Host-Http- comes before it.",
    ),
    # Routes to upstream APIs
    Variable(
        name="BFF_UPSTREAM_URL", parse=parse_upstream_url,
        meaning="The API behind BFF_API_PREFIX: the short form of a single route.",
    ),
    Variable(
        name="BFF_API_PREFIX", parse=parse_prefix, default="/api",
        meaning="The path prefix that BFF_UPSTREAM_URL replaces.",
    ),
    Variable(name="BFF_ROUTES_FILE", parse=Path, meaning="A TOML file of routes, one [[routes]] table each."),
    Variable(name="BFF_ROUTES", parse=parse_json, meaning="Routes as JSON: a list of objects."),
    Variable(
        name="BFF_MAX_BODY", parse=size, default="64MiB",
        meaning="The largest request body passed on; a route may say otherwise.",
    ),
    Variable(
        name="BFF_UPSTREAM_TIMEOUT", parse=duration(0.1, DAY), default="60s",
        meaning="How long an upstream may take to begin its answer; a route may say otherwise.",
    ),
    # The page
    Variable(name="BFF_STATIC_DIR", parse=Path, meaning="The directory of the built page, with its index.html."),
    Variable(
        name="BFF_SPA_DEV_SERVER", parse=parse_dev_server_url,
        meaning="The page's development server on this machine, hot reload included; instead of BFF_STATIC_DIR.",
    ),
    Variable(
        name="BFF_POST_LOGOUT_PATH", parse=local_path, default="/",
        meaning="Where the browser lands after logout.",
    ),
    # Operation
    Variable(
        name="BFF_METRICS_PORT", parse=optional_port, default="off",
        meaning="The port that serves metrics for Prometheus.",
    ),
    Variable(
        name="BFF_LOG_LEVEL", parse=choice("debug", "info", "warning", "error", "critical"), default="info",
        meaning="The least severe log lines to write: debug, info, warning, error or critical.",
    ),
    Variable(
        name="BFF_LOG_FORMAT", parse=choice("json", "text"), default="json",
        meaning="The form of the log: json or text.",
    ),
)  # fmt: skip
