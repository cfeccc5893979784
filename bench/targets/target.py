"""A server under test, ready to be called."""

from __future__ import annotations

from dataclasses import dataclass

from bff.demo.child import Child


@dataclass(frozen=True)
class Target:
    """`url` is the small call's, `headers` carry the session; `token_reaches_upstream` is what is checked first."""

    name: str
    version: str
    url: str
    headers: tuple[str, ...]
    child: Child
    token_reaches_upstream: bool = True
