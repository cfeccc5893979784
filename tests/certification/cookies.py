"""The cookie rules of a browser, as far as they decide whether a login works (RFC 6265bis)."""

from __future__ import annotations

import dataclasses
from urllib.parse import urlsplit


@dataclasses.dataclass(frozen=True, slots=True)
class Cookie:
    name: str
    value: str
    host: str
    path: str
    secure: bool
    http_only: bool
    same_site: str


class CookieJar:
    """Host-only cookies; ports are ignored and sites are told apart by the caller, as browsers do it."""

    def __init__(self) -> None:
        self._cookies: dict[tuple[str, str, str], Cookie] = {}
        self.rejected: list[str] = []

    def names(self, host: str) -> set[str]:
        return {cookie.name for cookie in self._cookies.values() if cookie.host == host}

    def store(self, url: str, lines: list[str]) -> None:
        """Keep, replace or delete what the Set-Cookie `lines` of an answer from `url` say."""
        for line in lines:
            cookie, deletes = parse_set_cookie(url, line)
            rule = broken_rule(url, cookie, has_domain="domain=" in line.lower())
            if rule is not None:
                self.rejected.append(f"{cookie.name}: {rule}")
                continue
            identity = (cookie.host, cookie.path, cookie.name)
            if deletes:
                self._cookies.pop(identity, None)
            else:
                self._cookies[identity] = cookie

    def header(self, url: str, *, same_site: bool, top_level_get: bool) -> str | None:
        """The Cookie header for a request to `url`, or None when no cookie applies."""
        parts = urlsplit(url)
        sent = [
            f"{cookie.name}={cookie.value}"
            for cookie in self._cookies.values()
            if cookie.host == parts.hostname
            and path_matches(parts.path or "/", cookie.path)
            and (parts.scheme == "https" or not cookie.secure)
            and (same_site or cookie.same_site == "none" or (cookie.same_site == "lax" and top_level_get))
        ]
        return "; ".join(sent) or None


def path_matches(path: str, cookie_path: str) -> bool:
    """RFC 6265bis, section 5.1.4."""
    return path == cookie_path or path.startswith(cookie_path.rstrip("/") + "/")


def parse_set_cookie(url: str, line: str) -> tuple[Cookie, bool]:
    """The cookie a Set-Cookie line describes, and whether it deletes it."""
    pair, *attributes = line.split(";")
    name, _, value = pair.strip().partition("=")
    given = {
        key.strip().lower(): text.strip() for key, _, text in (attribute.partition("=") for attribute in attributes)
    }
    parts = urlsplit(url)
    path = given.get("path", "")
    cookie = Cookie(
        name=name,
        value=value,
        host=parts.hostname or "",
        path=path if path.startswith("/") else parts.path.rpartition("/")[0] or "/",
        secure="secure" in given,
        http_only="httponly" in given,
        same_site=given.get("samesite", "lax").lower(),
    )
    max_age = given.get("max-age")
    expired = max_age is not None and int(max_age) <= 0
    return cookie, expired or (max_age is None and "1970" in given.get("expires", ""))


def broken_rule(url: str, cookie: Cookie, *, has_domain: bool) -> str | None:
    """Why a browser would drop the cookie; None when it would keep it."""
    if cookie.secure and not url.startswith("https:"):
        return "Secure, but set over http"
    if cookie.same_site == "none" and not cookie.secure:
        return "SameSite=None without Secure"
    if cookie.name.startswith("__Secure-") and not cookie.secure:
        return "its prefix asks for Secure"
    if cookie.name.startswith("__Host-") and (not cookie.secure or has_domain or cookie.path != "/"):
        return "its prefix asks for Secure, Path=/ and no Domain"
    if cookie.name.startswith(("__Http-", "__Host-Http-")) and not cookie.http_only:
        return "its prefix asks for HttpOnly"
    return None
