"""How a browser resolves a Location on an https page: the WHATWG URL standard's rules for special schemes."""

from __future__ import annotations

import re

_DOT = re.compile(r"\.|%2e", re.IGNORECASE)
_TWO_DOTS = re.compile(r"(\.|%2e){2}", re.IGNORECASE)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)


def resolve(location: str, origin: str) -> tuple[str, str]:
    """Return the origin and the path that a page of `origin`, at its root, would go to."""
    text = location.strip("".join(map(chr, range(0x21))))
    text = re.sub(r"[\t\n\r]", "", text)
    scheme = _SCHEME.match(text)
    if scheme is not None:
        if scheme[1].lower() != "https":
            return f"{scheme[1].lower()}:{scheme[2]}", ""
        text = scheme[2]
    reference = re.split(r"[?#]", text, maxsplit=1)[0].replace("\\", "/")
    if reference.startswith("//"):
        host, _, path = reference.lstrip("/").partition("/")
        return f"https://{host.rpartition('@')[2].lower()}", _without_dots("/" + path)
    return origin, _without_dots(reference if reference.startswith("/") else "/" + reference)


def _without_dots(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")[1:]
    for index, segment in enumerate(segments):
        last = index == len(segments) - 1
        if _TWO_DOTS.fullmatch(segment):
            del kept[-1:]
            kept += [""] * last
        elif _DOT.fullmatch(segment):
            kept += [""] * last
        else:
            kept.append(segment)
    return "/" + "/".join(kept)
