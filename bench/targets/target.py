"""A server under test, ready to be called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bff.demo.child import Child


@dataclass(frozen=True)
class Target:
    """`url` is the small call's, `headers` carry the session; `token_reaches_upstream` is what is checked first.

    `script` is wrk's, where one request is not enough; `cookies` are those of all sessions that can be used.
    """

    name: str
    version: str
    url: str
    headers: tuple[str, ...]
    child: Child
    token_reaches_upstream: bool = True
    script: Path | None = None
    cookies: tuple[str, ...] = ()
