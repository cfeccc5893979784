"""What there is to serve, found once at the start: a request can name only what is listed here.

A precompressed sibling (`app.js.br`, `.zst`, `.gz`) is an encoding of its file, not a file of its own. Not listed are
names that begin with a dot (but `.well-known`), and whatever a symbolic link leads to outside the directory.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bff.static_files.media_types import media_type
from bff.static_files.policy import document_policy

LARGEST_IN_MEMORY: Final = 1024 * 1024
MOST_IN_MEMORY: Final = 64 * 1024 * 1024
"""Bytes of a file, and of all files together, that are kept in memory; the rest is read from the disk each time."""

ENCODINGS: Final = {".br": "br", ".zst": "zstd", ".gz": "gzip"}
"""Content codings by the extension of a precompressed file, the best first."""

_INDEX: Final = "index.html"
_IMMUTABLE, _REVALIDATED, _NEVER_STORED = "public, max-age=31536000, immutable", "no-cache", "no-store"

# The last part of a name before its extensions, as bundlers append it: 8 characters of base64url or base32, or 8 and
# more hexadecimal digits. A word is no hash: it must mix digits and letters, or capitals in its midst.
_HASHED: Final = re.compile(r".*[-.](?P<hash>[A-Za-z0-9_-]{8}|[0-9a-f]{8,64})(?:\.[a-z][a-z0-9]{0,11}){1,3}")
_LOOKS_RANDOM: Final = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z]).*|.(?:.*[A-Z]){2}.*")


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a file in one encoding; `body` is None if they are to be read from `path`."""

    path: Path
    size: int
    etag: str
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Asset:
    """A file to serve; `encodings` are its precompressed forms by content coding."""

    media_type: str
    cache_control: str
    policy: str
    identity: Content
    encodings: dict[str, Content] = field(default_factory=dict)


def read_manifest(directory: Path, *, frames: Collection[str] = ()) -> dict[str, Asset]:
    """Return the assets by decoded URL path; a directory with an index has one more entry, with a final slash.

    `frames` are the origins that documents may show in frames besides our own. Raises `OSError` if something cannot be
    read.
    """
    files = dict(_files(directory.resolve(strict=True)))
    reader = _Reader()
    assets: dict[str, Asset] = {}
    for url_path, path in sorted(files.items()):
        if path.suffix in ENCODINGS and url_path.removesuffix(path.suffix) in files:
            continue
        encodings = {
            coding: reader.read(files[url_path + extension], of=media_type(path))
            for extension, coding in ENCODINGS.items()
            if url_path + extension in files
        }
        assets[url_path] = _asset(path, reader.read(path, of=media_type(path)), encodings, frames)
        if path.name == _INDEX:
            assets[url_path.removesuffix(_INDEX)] = assets[url_path]
    return assets


def is_hashed(name: str) -> bool:
    """Whether a file's name holds a hash of its content, so that another content will have another name."""
    match = _HASHED.fullmatch(name)
    return match is not None and _LOOKS_RANDOM.fullmatch(match["hash"]) is not None


def _asset(path: Path, identity: Content, encodings: dict[str, Content], frames: Collection[str]) -> Asset:
    kind = media_type(path)
    document = (identity.body or path.read_bytes()) if kind.startswith("text/html") else b""
    policy = document_policy(document, frames=frames)
    return Asset(kind, _cache_control(path.name), policy, identity, encodings)


def _cache_control(name: str) -> str:
    if name == _INDEX:
        return _NEVER_STORED
    return _IMMUTABLE if is_hashed(name) else _REVALIDATED


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    for folder, subfolders, names in os.walk(root, onerror=_raise):
        subfolders[:] = [name for name in subfolders if _is_shown(name)]
        for name in names:
            path = Path(folder, name)
            if _is_shown(name) and path.resolve().is_relative_to(root) and path.is_file():
                yield "/" + path.relative_to(root).as_posix(), path


def _is_shown(name: str) -> bool:
    return not name.startswith(".") or name == ".well-known"


def _raise(error: OSError) -> None:
    raise error


class _Reader:
    def __init__(self) -> None:
        self._room = MOST_IN_MEMORY

    def read(self, path: Path, *, of: str) -> Content:
        """Return the file's content; `of` makes the tags of equal bytes with different media types differ."""
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size <= min(LARGEST_IN_MEMORY, self._room):
                body = file.read()
                self._room -= len(body)
                return Content(path, len(body), _etag(hashlib.sha256(body), of), body)
            return Content(path, size, _etag(hashlib.file_digest(file, "sha256"), of), None)


def _etag(digest: hashlib._Hash, of: str) -> str:
    digest.update(of.encode("ascii"))
    return f'"{digest.hexdigest()[:32]}"'
