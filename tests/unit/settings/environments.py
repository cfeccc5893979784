"""Environments for the tests: one that is complete, and what is wrong with one that is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bff.errors import SettingsInvalid
from bff.settings import Settings, load_settings

COMPLETE = {
    "BFF_PUBLIC_URL": "https://app.example.com",
    "BFF_ISSUER": "https://id.example.com/realms/main",
    "BFF_CLIENT_ID": "app",
    "BFF_CLIENT_SECRET": "the-client's-secret",
    "BFF_UPSTREAM_URL": "https://api.example.com/v1",
}
KEY = "k" * 32


def environment(**changes: str | None) -> dict[str, str]:
    """Return the complete environment with changes; None leaves a variable out."""
    merged: dict[str, str | None] = {**COMPLETE, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def no_file(path: Path) -> bytes:
    """Be a machine without files."""
    raise FileNotFoundError(2, "No such file or directory", str(path))


def files(contents: Mapping[str, bytes]) -> Callable[[Path], bytes]:
    """Return a `read_file` that knows these files."""

    def read(path: Path) -> bytes:
        return contents[str(path)] if str(path) in contents else no_file(path)

    return read


def loaded(contents: Mapping[str, bytes] | None = None, /, **changes: str | None) -> Settings:
    """Return the settings of a changed environment."""
    return load_settings(environment(**changes), read_file=files(contents or {}))


def faults(contents: Mapping[str, bytes] | None = None, /, **changes: str | None) -> tuple[str, ...]:
    """Return what is wrong with a changed environment."""
    with pytest.raises(SettingsInvalid) as raised:
        loaded(contents, **changes)
    return raised.value.faults


def complaints(values: Mapping[str, str]) -> tuple[str, ...]:
    """Return what is wrong with an environment on a machine without files; nothing if it is right."""
    try:
        load_settings(environment(**values), read_file=no_file)
    except SettingsInvalid as invalid:
        return (*invalid.faults, repr(invalid))
    return ()


def fault(contents: Mapping[str, bytes] | None = None, /, **changes: str | None) -> str:
    """Return the only thing wrong with a changed environment."""
    (line,) = faults(contents, **changes)
    return line
