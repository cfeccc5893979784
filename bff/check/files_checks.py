"""The page: its files are read as the gateway reads them at start."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

from bff.check.findings import Finding, counted, good, note, unusable
from bff.settings import Settings
from bff.static_files.manifest import Asset, is_hashed, read_manifest

LARGE: Final = 4096
"""Bytes from which compression is worth a file."""

_MOST_NAMED: Final = 3
_VARIABLE: Final = "BFF_STATIC_DIR"
_KEPT: Final = (".js", ".mjs", ".css")
_TEXT: Final = (*_KEPT, ".svg", ".json", ".html")


def check_files(settings: Settings) -> list[Finding]:
    """Return what is found in the page's directory."""
    if settings.static_dir is None:
        seen = "No page is served, but a placeholder"
        return [
            note("static.none", _VARIABLE, seen, "Set BFF_STATIC_DIR to the built page, or leave it to another server")
        ]
    try:
        assets = read_manifest(settings.static_dir)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        cure = "Check the permissions of the directory and of all in it"
        return [unusable("static.files", _VARIABLE, f"A file of the page cannot be read ({reason})", cure)]
    files = {path: asset for path, asset in assets.items() if not path.endswith("/")}
    return [
        good("static.files", _VARIABLE, f"{counted(len(files), 'file')} can be read, index.html among them"),
        _hashed(files),
        _precompressed(files),
    ]


def _hashed(files: dict[str, Asset]) -> Finding:
    plain = [path for path in files if path.endswith(_KEPT) and not is_hashed(PurePosixPath(path).name)]
    if not plain:
        return good("static.hashed", _VARIABLE, "Scripts and styles have a hash in their names")
    seen = f"Asked for anew with each visit, as no hash is recognised in the name: {_some(plain)}"
    return note("static.hashed", _VARIABLE, seen, "Let the bundler name its output after the content")


def _precompressed(files: dict[str, Asset]) -> Finding:
    plain = [
        path
        for path, asset in files.items()
        if path.endswith(_TEXT) and asset.identity.size >= LARGE and not asset.encodings
    ]
    if not plain:
        return good("static.precompressed", _VARIABLE, "Large text files have compressed variants, or there are none")
    cure = "Have the build write .br or .gz beside them, or let the proxy in front compress"
    return note("static.precompressed", _VARIABLE, f"Sent uncompressed: {_some(plain)}", cure)


def _some(paths: Iterable[str]) -> str:
    ordered = sorted(paths)
    rest = len(ordered) - _MOST_NAMED
    return ", ".join(ordered[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
