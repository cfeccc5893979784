"""What must hold between values that are each acceptable by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bff.settings.credentials import is_key_of
from bff.settings.fault import Faults
from bff.settings.route import Route
from bff.settings.urls import is_loopback

_WILDCARD_ADDRESSES: Final = ("0.0.0.0", "::")  # noqa: S104 -- compared, not bound


def check_values(values: Mapping[str, Any], broken: frozenset[str], faults: Faults) -> None:
    """Add the contradictions between variables; those in `broken` are at fault already and are not judged again."""
    _check_client(values, broken, faults)
    _check_sessions(values, broken, faults)
    is_short_form = "BFF_UPSTREAM_URL" in values or "BFF_UPSTREAM_URL" in broken
    if not is_short_form and values.get("BFF_API_PREFIX", "/api") != "/api":
        faults.add("BFF_API_PREFIX", "means nothing without BFF_UPSTREAM_URL", "Set BFF_UPSTREAM_URL, or remove it")
    if "BFF_SPA_DEV_SERVER" in values and "BFF_STATIC_DIR" in values:
        faults.add("BFF_SPA_DEV_SERVER", "cannot be combined with BFF_STATIC_DIR", "Set one of the two")
    public_url = values.get("BFF_PUBLIC_URL")
    if "BFF_SPA_DEV_SERVER" in values and public_url is not None and not is_loopback(public_url.hostname):
        faults.add(
            "BFF_SPA_DEV_SERVER",
            "is for development, where BFF_PUBLIC_URL is on this machine",
            "Serve the built page with BFF_STATIC_DIR",
        )
    metrics_port = values.get("BFF_METRICS_PORT")
    if metrics_port is not None:
        if metrics_port == values.get("BFF_PORT"):
            faults.add("BFF_METRICS_PORT", "must differ from BFF_PORT", "Choose another port")
        if values.get("BFF_WORKERS", 1) > 1:
            faults.add(
                "BFF_METRICS_PORT",
                "counts one process and would hide the others of BFF_WORKERS",
                "Run one worker per container and several containers, or set BFF_METRICS_PORT=off",
            )


def check_routes(routes: tuple[Route, ...], values: Mapping[str, Any], faults: Faults) -> None:
    """Add the contradictions between routes and other variables."""
    cookie = values.get("BFF_COOKIE_NAME", "bff").lower()
    host, port = values.get("BFF_HOST", ""), values.get("BFF_PORT")
    for route in routes:
        where = f"route {route.prefix}"
        for name in route.set_cookie:
            bare = name.lower().removeprefix("__host-http-")
            if bare == cookie or bare.startswith(f"{cookie}-login-"):
                faults.add(where, "set_cookie must not let an upstream set the gateway's own cookie", "Remove the name")
        for name, is_demanded in (("acr_values", bool(route.acr_values)), ("max_age", route.max_age is not None)):
            if is_demanded and name not in values.get("BFF_LOGIN_PARAMS", (name,)):
                faults.add(where, f"demands {name}, which BFF_LOGIN_PARAMS does not pass on", "Add it to that list")
            if is_demanded and "openid" not in values.get("BFF_SCOPES", ("openid",)):
                faults.add(where, f"demands {name}, which only an ID token tells", "Add openid to BFF_SCOPES")
        is_open = route.upstream.scheme == "http" and not is_loopback(route.upstream.hostname)
        if "BFF_PROFILE" in values and is_open and route.token != "none":  # noqa: S105 -- a policy's name
            faults.add(
                where,
                f"must have an https upstream under BFF_PROFILE={values['BFF_PROFILE']}, for its calls carry tokens",
                "Use https",
            )
        is_here = is_loopback(host) or host in _WILDCARD_ADDRESSES
        if is_here and is_loopback(route.upstream.hostname) and route.upstream.port == port:
            faults.add(where, "has the gateway itself as its upstream", "Check the port of the upstream and BFF_PORT")


def _check_client(values: Mapping[str, Any], broken: frozenset[str], faults: Faults) -> None:
    method = values.get("BFF_CLIENT_AUTH")
    needed = {
        "client_secret_basic": "BFF_CLIENT_SECRET",
        "client_secret_post": "BFF_CLIENT_SECRET",
        "private_key_jwt": "BFF_CLIENT_KEY",
        "tls_client_auth": "BFF_CLIENT_CERT",
        "self_signed_tls_client_auth": "BFF_CLIENT_CERT",
    }.get(method or "")
    if needed is not None and needed not in values and needed not in broken:
        file = needed if needed == "BFF_CLIENT_CERT" else f"{needed}_FILE"
        faults.add(
            needed,
            f"is required by BFF_CLIENT_AUTH={method}",
            f"Set it, or its path in {file}, or another method",
        )
    _check_certificate(values, broken, faults)
    if values.get("BFF_REQUEST_OBJECT") == "signed" and not {"BFF_CLIENT_KEY"} & (values.keys() | broken):
        faults.add("BFF_CLIENT_KEY", "is required by signed requests", "Set it, or its path in BFF_CLIENT_KEY_FILE")


def _check_certificate(values: Mapping[str, Any], broken: frozenset[str], faults: Faults) -> None:
    certificate, key = values.get("BFF_CLIENT_CERT"), values.get("BFF_CLIENT_CERT_KEY")
    if {"BFF_CLIENT_CERT", "BFF_CLIENT_CERT_KEY"} & broken:
        return
    if (certificate is None) != (key is None):
        missing, given = ("BFF_CLIENT_CERT_KEY", "BFF_CLIENT_CERT")[:: 1 if key is None else -1]
        faults.add(missing, f"is required by {given}", "Set both, or neither")
    elif certificate is not None and key is not None and not is_key_of(key, certificate):
        faults.add(
            "BFF_CLIENT_CERT_KEY",
            "is not the key of the first certificate in BFF_CLIENT_CERT",
            "Put the client's own certificate first, and give the key it was made with",
        )


def _check_sessions(values: Mapping[str, Any], broken: frozenset[str], faults: Faults) -> None:
    idle, longest = values.get("BFF_SESSION_IDLE"), values.get("BFF_SESSION_MAX")
    if idle is not None and longest is not None and idle > longest:
        faults.add("BFF_SESSION_IDLE", "must not be longer than BFF_SESSION_MAX", "Lower it, or raise BFF_SESSION_MAX")
    if "BFF_REDIS_URL" in values or "BFF_REDIS_URL" in broken:
        if "BFF_SECRET_KEYS" not in values and "BFF_SECRET_KEYS" not in broken:
            faults.add(
                "BFF_SECRET_KEYS",
                "is required with BFF_REDIS_URL: all instances and restarts must open the same sessions",
                "Make a key with: bff keygen",
            )
    elif values.get("BFF_WORKERS", 1) > 1:
        faults.add(
            "BFF_WORKERS",
            "must be 1 without BFF_REDIS_URL: processes cannot share sessions in memory",
            "Set BFF_REDIS_URL",
        )
