"""What must stay secret, all that was seen of the gateway, and whether the one occurs in the other.

Tests tell a `Ledger` each secret when it comes into being and each answer, log and upstream request when it is seen.
A secret counts as leaked if 24 characters in a row of any of its spellings occur; it has 16 characters at least.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

WINDOW = 16
STRIDE = 8

# What a token, a cookie or a key can be written with; anything else ends one.
_RUN = re.compile(rf"[A-Za-z0-9_.~%+/=:-]{{{WINDOW},}}")
_AUTHORIZATION_PARAMETERS = frozenset({"state", "nonce", "code_challenge", "request_uri"})
_SET_COOKIE = re.compile(r"(?P<name>[^=;]+)=(?P<value>[^;]*)(?P<attributes>.*)")


@dataclass(frozen=True)
class SeenAnswer:
    """One answer of the gateway to a browser; `location` names method and path of the request."""

    location: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass
class Ledger:
    """Secrets and their kinds, and everything they must not be in; may be told from several threads."""

    secrets: dict[str, str] = field(default_factory=dict)
    answers: list[SeenAnswer] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def secret(self, kind: str, value: str) -> str:
        """Note a secret; return it."""
        if len(value) >= WINDOW:
            with self._lock:
                self.secrets[value] = kind
        return value

    def answered(self, method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """Note an answer of the gateway; the cookies it sets are secrets from now on."""
        answer = SeenAnswer(f"{method} {urlsplit(url).path}", tuple(headers), body)
        for name, value in _cookies(answer):
            self.secret(f"cookie {name.partition('-login-')[0]}", value)
        with self._lock:
            self.answers.append(answer)

    def text(self, place: str, text: str) -> None:
        """Note a log, a metrics page or what an upstream was sent; no secret at all belongs there."""
        with self._lock:
            self.texts.append((place, text))

    def leaks(self) -> list[str]:
        """Say which kinds of secrets occur where; never the secrets themselves."""
        windows = dict(_windows(self.secrets))
        seen = [*self.texts, *((answer.location, _without_what_belongs_there(answer)) for answer in self.answers)]
        return sorted({f"{kind} in {place}" for place, text in seen for kind in _found(windows, text)})


SEEN = Ledger()
"""What the whole test run has seen."""


def _windows(secrets: dict[str, str]) -> Iterator[tuple[str, str]]:
    for secret, kind in secrets.items():
        for spelling in _spellings(secret):
            for run in _RUN.findall(spelling):
                last = len(run) - WINDOW
                for start in {*range(0, last + 1, STRIDE), last}:
                    yield run[start : start + WINDOW], kind


def _spellings(secret: str) -> set[str]:
    """The secret itself, as hexadecimal digits, and within base64 at each of the three positions."""
    raw = secret.encode()
    inside = {base64.b64encode(b"\0" * shift + raw).decode()[4:-4] for shift in range(3)} if len(raw) > 24 else set()
    return {secret, urlencode({"": secret})[1:], raw.hex(), *_decoded(secret), *inside}


def _decoded(secret: str) -> set[str]:
    """What a handle in base64url is the spelling of, as hexadecimal digits."""
    try:
        return {base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4)).hex()}
    except ValueError:
        return set()


def _found(windows: dict[str, str], text: str) -> set[str]:
    return {
        windows[run[start : start + WINDOW]]
        for run in _RUN.findall(text)
        for start in range(len(run) - WINDOW + 1)
        if run[start : start + WINDOW] in windows
    }


def _without_what_belongs_there(answer: SeenAnswer) -> str:
    """The answer without the values that are there for a reason, each only in its own place."""
    lines = [f"{name}: {_kept(answer, name.lower(), value)}" for name, value in answer.headers]
    body = answer.body.decode("utf-8", "replace")
    if answer.location == "POST /bff/logout":
        body = _logout_document(body)
    return "\n".join([*lines, "", body])


def _kept(answer: SeenAnswer, name: str, value: str) -> str:
    method, _, path = answer.location.partition(" ")
    if name == "set-cookie" and path in ("/bff/login", "/bff/callback"):
        match = _SET_COOKIE.fullmatch(value)
        is_login_cookie = match is not None and "-login-" in match["name"]
        if match is not None and (is_login_cookie or path == "/bff/callback"):
            return f"{match['name']}={match['attributes']}"
    if name == "location" and path == "/bff/login":
        return _without_parameters(value, _AUTHORIZATION_PARAMETERS)
    if name == "location" and (method, path) == ("POST", "/bff/logout"):
        return _without_parameters(value, frozenset({"id_token_hint"}))
    return value


def _without_parameters(url: str, names: frozenset[str]) -> str:
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in names]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _logout_document(body: str) -> str:
    try:
        document: dict[str, Any] = json.loads(body)
    except ValueError:
        return body
    if isinstance(document.get("logout_url"), str):
        document["logout_url"] = _without_parameters(document["logout_url"], frozenset({"id_token_hint"}))
    return json.dumps(document)


def _cookies(answer: SeenAnswer) -> Iterator[tuple[str, str]]:
    for name, value in answer.headers:
        match = _SET_COOKIE.fullmatch(value) if name.lower() == "set-cookie" else None
        if match is not None:
            yield match["name"], match["value"]
