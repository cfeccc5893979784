"""RFC 10017 section 6.1: what a backend for frontend must be, and how this one stands to it."""

from __future__ import annotations

from typing import Final

from bff.check.posture import Facts, Judgement, Requirement, Standing, either, met, waived
from bff.settings.route import METHODS


def _credentials(facts: Facts) -> Judgement:
    return Standing.MET, f"{facts.settings.client_auth}, for codes and refreshes alike"


def _code_flow(facts: Facts) -> Judgement:
    said = facts.metadata is not None and facts.metadata.code_challenge_methods_supported is not None
    checked = (
        "and the provider says that it checks it" if said else "though the provider does not say that it checks it"
    )
    return Standing.MET, f"no other grant starts a session; PKCE with S256 is always sent, {checked}"


def _secure(facts: Facts) -> Judgement:
    if not facts.settings.public_url.is_secure:
        return Standing.WAIVED, "BFF_PUBLIC_URL is http, which is accepted for this machine alone"
    return either(all("; Secure" in line for line in facts.cookies), "on both kinds of cookie", "a cookie lacks it")


def _http_only(facts: Facts) -> Judgement:
    return either(all("; HttpOnly" in line for line in facts.cookies), "on both kinds of cookie", "a cookie lacks it")


def _strict(facts: Facts) -> Judgement:
    return either("; SameSite=Strict" in facts.session_cookie, "on the session cookie", "the session cookie is not")


def _path(facts: Facts) -> Judgement:
    return either(all("; Path=/;" in line for line in facts.cookies), "on both kinds of cookie", "a cookie has another")


def _domain(facts: Facts) -> Judgement:
    return either(not any("Domain=" in line for line in facts.cookies), "no cookie has one", "a cookie has one")


def _prefix(facts: Facts) -> Judgement:
    name = facts.session_cookie.partition("=")[0]
    return either(
        name.startswith("__Host-Http-"),
        f"the cookie is {name}",
        f"the cookie is {name}: browsers take the prefix on https",
    )


def _hosts(facts: Facts) -> Judgement:
    origins = dict.fromkeys(f"{route.upstream.scheme}://{route.upstream.host}" for route in facts.settings.routes)
    return Standing.MET, f"calls go to {', '.join(origins) or 'no host'}, from the configuration alone"


def _methods(facts: Facts) -> Judgement:
    wide = [route.prefix for route in facts.settings.routes if route.methods == frozenset(METHODS)]
    return either(not wide, "every route lists its methods", f"{', '.join(wide)} let all through; list `methods`")


def _renewal(facts: Facts) -> Judgement:
    if "offline_access" in facts.settings.scopes:
        return Standing.MET, "refreshed before a call with an authenticated request, once for all who wait"
    return Standing.UNKNOWN, "BFF_SCOPES lacks offline_access: only if the provider gives a refresh token unasked"


def _clients(facts: Facts) -> Judgement:
    is_known = bool(facts.settings.trusted_proxies) or not facts.settings.public_url.is_secure
    return either(
        is_known,
        "Forwarded fields are made from the connection and BFF_TRUSTED_PROXIES, never passed on as they came",
        "the proxy that ends TLS is not in BFF_TRUSTED_PROXIES: upstreams see its address for all clients",
    )


def _keys_and_binding(facts: Facts) -> Judgement:
    authentication = f"client authentication {'is' if facts.has_key_authentication else 'is not'} key-based"
    standing, binding = bound_tokens(facts)
    return (standing if facts.has_key_authentication else Standing.NOT_MET), f"{authentication}; {binding}"


def bound_tokens(facts: Facts) -> Judgement:
    """Judge whether a stolen access token is of no use; what the provider does for this client it alone knows."""
    if not facts.has_bound_tokens:
        return Standing.NOT_MET, (
            "whoever steals a token can use it; set BFF_DPOP, or BFF_CLIENT_CERT, if the provider can bind them"
        )
    if facts.settings.dpop == "require":
        return Standing.MET, "tokens are bound to a key of their session; others are refused"
    if facts.sends_proofs:
        return Standing.UNKNOWN, "asked for with proofs; BFF_DPOP=require refuses tokens that are bound to nothing"
    return Standing.UNKNOWN, "bound to the client's certificate, if the client is registered for it"


def minimal_access(facts: Facts) -> Judgement:
    """Judge whether an access token is for one API alone, as far as the configuration can say it."""
    settings = facts.settings
    if not facts.apis:
        return Standing.WAIVED, "no route carries a token"
    apis = facts.apis_of_the_login
    if not apis:
        return Standing.MET, "every route with a token names its own API or scope"
    target = settings.resource or settings.audience
    if len(apis) > 1:
        named = f", for {target}," if target else ""
        return Standing.NOT_MET, f"one access token{named} goes to {len(apis)} APIs: {', '.join(apis)}"
    if target is None:
        return (
            Standing.UNKNOWN,
            "neither BFF_RESOURCE nor BFF_AUDIENCE says whom access tokens are for; the provider may",
        )
    return Standing.MET, f"access tokens are asked for {target}, and go to {apis[0]} alone"


def _minimal_short_access(facts: Facts) -> Judgement:
    standing, why = minimal_access(facts)
    if standing is Standing.MET:
        return Standing.UNKNOWN, f"{why}; how long they live, no metadata tell"
    return standing, why


def _session_length(facts: Facts) -> Judgement:
    hours = facts.settings.session_max / 3600
    return Standing.UNKNOWN, f"BFF_SESSION_MAX is {hours:g} h; no metadata tell how long refresh tokens live"


_CSRF: Final = (
    "Sec-Fetch-Site, else Origin, else the header X-CSRF, on every cookie-authenticated route, siblings refused"
)

BFF_REQUIREMENTS: Final = (
    Requirement(
        "BFF-1", "must", "6.1.3.1", "Client credentials at the token endpoint, for codes and refreshes",
        _credentials,
    ),
    Requirement("BFF-2", "must", "6.1.3.1", "Only the authorization code grant starts a session; PKCE", _code_flow),
    Requirement("BFF-3", "must", "6.1.3.2", "Secure on every cookie", _secure),
    Requirement("BFF-4", "must", "6.1.3.2", "HttpOnly on every cookie", _http_only),
    Requirement("BFF-5", "should", "6.1.3.2", "SameSite=Strict on the session cookie", _strict),
    Requirement("BFF-6", "should", "6.1.3.2", "Path=/", _path),
    Requirement("BFF-7", "should", "6.1.3.2", "No Domain attribute", _domain),
    Requirement("BFF-8", "should", "6.1.3.2", "A cookie prefix that proves HTTP", _prefix),
    Requirement(
        "BFF-9", "should", "6.1.3.2", "Tokens in cookies are encrypted",
        met("no token is in any cookie; what a login keeps in one is sealed"),
    ),
    Requirement(
        "BFF-10", "must", "6.1.3.3", "A defence against cross-site request forgery beside SameSite",
        met(_CSRF),
    ),
    Requirement(
        "BFF-11", "should", "6.1.3.3.2", "A custom header where CORS is the defence",
        waived("CORS is not the defence; the header counts only where a browser sends neither other field"),
    ),
    Requirement(
        "BFF-12", "must", "6.1.3.3.2", "If the header is used, every request is checked for it",
        met("whatever the method, whenever the other two fields are missing"),
    ),
    Requirement(
        "BFF-13", "advice", "6.1.3.3.3", "Double submit with a secret per session",
        waived("double submit is not used"),
    ),
    Requirement("BFF-14", "must", "6.1.3.6", "Destination hosts from an allowlist", _hosts),
    Requirement(
        "BFF-15", "must", "6.1.3.6", "Dynamic paths strictly validated",
        met("dot segments, encoded slashes, backslashes, absolute forms are refused; prefixes match whole segments"),
    ),
    Requirement("BFF-16", "advice", "6.1.3.6", "Methods restricted per route", _methods),
    Requirement(
        "BFF-17", "advice", "6.1.1", "The session cookie never reaches an upstream",
        met("it is removed from every call"),
    ),
    Requirement(
        "BFF-18", "advice", "6.1.2.1", "An endpoint tells whether somebody is logged in",
        met("GET /bff/session"),
    ),
    Requirement(
        "BFF-19", "advice", "6.1.2.1", "The callback redirects, so that code and state leave the address bar",
        met("303 to the path the login came from"),
    ),
    Requirement("BFF-20", "advice", "6.1.2.2", "An expired access token is renewed on the way", _renewal),
    Requirement("BFF-21", "advice", "6.1.2.2", "A session lives as long as its refresh token may", _session_length),
    Requirement(
        "BFF-22", "advice", "6.1.2.2", "A session ends when its refresh token is known to be dead",
        met("invalid_grant ends it; no outage does"),
    ),
    Requirement("BFF-23", "advice", "6.1.3.5", "Upstreams can tell clients apart", _clients),
    Requirement(
        "BFF-24", "advice", "6.1.3.4", "What a third party that hosts it can see is documented",
        waived("a matter of who hosts it: the host sees every call and every token"),
    ),
    Requirement(
        "BFF-25", "advice", "6.1.3.7", "Key-based client authentication and sender-constrained tokens",
        _keys_and_binding,
    ),
    Requirement(
        "BFF-26", "advice", "6.1.4", "A content security policy; anomalies can be seen",
        met("every page has one; refusals are logged and counted. Limits on rates are left to the proxy in front"),
    ),
    Requirement(
        "BFF-27", "advice", "9.1", "Short access tokens of minimal scope, one resource per API",
        _minimal_short_access,
    ),
    Requirement(
        "BFF-28", "advice", "9.3", "Mix-up defence; separate origins per application",
        met("one issuer and one application per gateway, and the issuer of each answer is compared"),
    ),
)  # fmt: skip
