"""A browser as the gateway sees one: navigations, redirects, forms that submit themselves, fetches, cookies."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode, urljoin, urlsplit

import httpx2

from .cookies import CookieJar
from .forms import form_that_submits_itself

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from types import TracebackType

MAX_REDIRECTS = 20
RELATIONS = ("same-origin", "same-site", "cross-site")


@dataclasses.dataclass(frozen=True, slots=True)
class Visit:
    """One answer on the way; `location` is the absolute URL of a redirect, else None."""

    url: str
    status: int
    headers: httpx2.Headers
    body: bytes
    location: str | None

    def json(self) -> Any:
        return httpx2.Response(self.status, content=self.body).json()

    @property
    def path(self) -> str:
        return urlsplit(self.url).path


class Browser:
    """One profile with one open tab; `page` is the URL the tab shows."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        self._client = httpx2.Client(verify=trust, trust_env=False, timeout=30.0)
        self.cookies = CookieJar()
        self.page: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def open(self, url: str, *, stay_on: str | None = None) -> list[Visit]:
        """Type `url` into the address bar; see `follow`."""
        return self._navigate(url, initiator=None, stay_on=stay_on)

    def follow(self, url: str, *, stay_on: str | None = None) -> list[Visit]:
        """Follow a link of the page shown, and every redirect after it.

        With `stay_on` (an origin) the first redirect that leaves it is not followed.
        """
        if self.page is None:
            raise ValueError("no page is open to follow a link from")
        return self._navigate(urljoin(self.page, url), initiator=self.page, stay_on=stay_on)

    def fetch(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
    ) -> Visit:
        """What `fetch(path)` does in the page shown: same origin, cookies included."""
        if self.page is None:
            raise ValueError("no page is open to fetch from")
        url = urljoin(self.page, path)
        relation = related(self.page, [url])
        sent = {
            "accept": "*/*",
            "sec-fetch-site": relation,
            "sec-fetch-mode": "cors",
            "sec-fetch-dest": "empty",
            **(headers or {}),
        }
        if method not in {"GET", "HEAD"}:
            sent["origin"] = origin_of(self.page)
        return self._exchange(method, url, sent, same_site=relation != "cross-site", content=content)

    def _navigate(self, url: str, *, initiator: str | None, stay_on: str | None) -> list[Visit]:
        visits: list[Visit] = []
        chain: list[str] = []
        target: str | None = url
        form: bytes | None = None
        while target is not None and len(visits) <= MAX_REDIRECTS:
            chain.append(target)
            visit = self._visit(target, chain, initiator=initiator, form=form)
            visits.append(visit)
            target, form = visit.location, None
            if target is not None and stay_on is not None and origin_of(target) != stay_on:
                break
            submitted = form_that_submits_itself(visit.body) if target is None and visit.status == 200 else None
            if submitted is not None:
                # A navigation of its own, begun by the page it stands on.
                initiator, chain = visit.url, []
                target, form = urljoin(visit.url, submitted.action or visit.url), urlencode(submitted.fields).encode()
        self.page = visits[-1].url
        return visits

    def _visit(self, url: str, chain: list[str], *, initiator: str | None, form: bytes | None) -> Visit:
        relation = "none" if initiator is None else related(initiator, chain)
        headers = {
            "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "sec-fetch-site": relation,
            "sec-fetch-mode": "navigate",
            "sec-fetch-dest": "document",
            "sec-fetch-user": "?1",
            "upgrade-insecure-requests": "1",
        }
        if form is not None and initiator is not None:
            headers |= {"content-type": "application/x-www-form-urlencoded", "origin": origin_of(initiator)}
        return self._exchange(
            "GET" if form is None else "POST",
            url,
            headers,
            same_site=relation != "cross-site",
            top_level=True,
            content=form or b"",
        )

    def _exchange(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        *,
        same_site: bool,
        top_level: bool = False,
        content: bytes = b"",
    ) -> Visit:
        cookie = self.cookies.header(url, same_site=same_site, top_level_get=top_level and method == "GET")
        if cookie is not None:
            headers = {**headers, "cookie": cookie}
        response = self._client.request(
            method,
            url,
            headers={"user-agent": "Mozilla/5.0 (certification)", "accept-language": "en", **headers},
            content=content,
        )
        # The jar above decides; the client's own would send cookies that a browser would withhold.
        self._client.cookies.clear()
        self.cookies.store(url, response.headers.get_list("set-cookie"))
        location = response.headers.get("location") if response.is_redirect else None
        return Visit(
            url=url,
            status=response.status_code,
            headers=response.headers,
            body=response.content,
            location=None if location is None else urljoin(url, location),
        )


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def without_query(url: str) -> str:
    """The URL as it may be shown: its query can hold codes and tokens."""
    return url.partition("?")[0]


def site_of(url: str) -> tuple[str, str | None]:
    """Scheme and host: enough on loopback, where no host has a registrable domain above it."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname


def related(initiator: str, chain: list[str]) -> str:
    """The `Sec-Fetch-Site` value: how far any URL of the redirect chain is from its initiator."""
    worst = 0
    for url in chain:
        if origin_of(url) == origin_of(initiator):
            continue
        worst = max(worst, 1 if site_of(url) == site_of(initiator) else 2)
    return RELATIONS[worst]
