"""Serves the manifest's files; the index for navigations to anything else."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

import anyio
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from bff.asgi.request import Request
from bff.errors import BadRequest, MethodNotAllowed, NotFound
from bff.http.targets import check_path
from bff.static_files.manifest import Asset, Content
from bff.static_files.negotiation import choose_coding, matches

METHODS: Final = ("GET", "HEAD")
_ROUTE: Final = "spa"
_CHUNK: Final = 256 * 1024


class StaticFiles:
    """An ASGI application over a manifest; cookies neither matter to it nor are set by it."""

    def __init__(self, manifest: Mapping[str, Asset]) -> None:
        self._manifest = manifest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request; raises `NotFound` and `MethodNotAllowed`."""
        request = Request(scope, receive)
        request.notes.route = _ROUTE
        if request.method not in METHODS:
            raise MethodNotAllowed(METHODS, "static.method")
        asset = self._find(request)
        answer = await _answer(request, asset)
        await answer(scope, receive, send)

    def _find(self, request: Request) -> Asset:
        path = _decoded(request.path)
        asset = self._manifest.get(path) if path is not None else None
        if asset is None and request.is_navigation and not _names_hidden_file(path or ""):
            asset = self._manifest.get("/")
        if asset is None:
            raise NotFound("static.unknown")
        return asset


def _decoded(raw_path: bytes) -> str | None:
    """Return the path as file names are written, None if an encoded slash makes it ambiguous.

    Raises `NotFound` for what tries to leave its directory.
    """
    try:
        check_path(raw_path)
    except BadRequest as error:
        raise NotFound("static.path") from error
    if b"%2f" in raw_path.lower():
        return None
    return unquote_to_bytes(raw_path).decode("utf-8")


def _names_hidden_file(path: str) -> bool:
    return any(segment.startswith(".") for segment in path.split("/"))


async def _answer(request: Request, asset: Asset) -> Response:
    coding = choose_coding(request.single(b"accept-encoding"), asset.encodings)
    content = asset.identity if coding is None else asset.encodings[coding]
    headers = {
        "Cache-Control": asset.cache_control,
        "Content-Security-Policy": asset.policy,
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "ETag": content.etag,
    }
    if asset.encodings:
        headers["Vary"] = "Accept-Encoding"
    if matches(request.single(b"if-none-match"), content.etag):
        return Response(b"", 304, headers)
    headers |= {"Content-Type": asset.media_type, "Content-Length": str(content.size)}
    if coding is not None:
        headers["Content-Encoding"] = coding
    if request.method == "HEAD":
        return Response(b"", 200, headers)
    if content.body is not None:
        return Response(content.body, 200, headers)
    return StreamingResponse(_chunks(await _opened(content)), 200, headers)


async def _opened(content: Content) -> anyio.AsyncFile[bytes]:
    """Open a file that is not in memory; raises `NotFound` if it is not the one that was there at the start."""
    try:
        file = await anyio.open_file(content.path, "rb")
    except OSError:
        raise NotFound("static.gone") from None
    if os.fstat(file.wrapped.fileno()).st_size != content.size:
        await file.aclose()
        raise NotFound("static.changed")
    return file


async def _chunks(file: anyio.AsyncFile[bytes]) -> AsyncIterator[bytes]:
    async with file:
        while chunk := await file.read(_CHUNK):
            yield chunk
