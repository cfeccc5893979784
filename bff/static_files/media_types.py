"""Media types by file extension; a table of our own, for the system's differs from machine to machine."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

_TEXT: Final = "; charset=utf-8"
_BY_EXTENSION: Final = {
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".css": "text/css" + _TEXT,
    ".csv": "text/csv" + _TEXT,
    ".eot": "application/vnd.ms-fontobject",
    ".gif": "image/gif",
    ".htm": "text/html" + _TEXT,
    ".html": "text/html" + _TEXT,
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript" + _TEXT,
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown" + _TEXT,
    ".mjs": "text/javascript" + _TEXT,
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".ogg": "audio/ogg",
    ".otf": "font/otf",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain" + _TEXT,
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
    ".zip": "application/zip",
}


def media_type(path: PurePath) -> str:
    """Return the value for Content-Type; what is not known is offered as a download."""
    return _BY_EXTENSION.get(path.suffix.lower(), "application/octet-stream")
