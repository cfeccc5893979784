"""Corpora of `tests/data`: one case a line, as JSON, so that control characters have a spelling; bytes as Latin-1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data"


def lines(name: str) -> list[str]:
    """Return the file's lines."""
    return (DATA / name).read_text(encoding="ascii").splitlines()


def cases(name: str) -> list[Any]:
    """Return the file's cases."""
    return [json.loads(line) for line in lines(name)]


def octets(text: str) -> bytes:
    """Return the bytes a case spells."""
    return text.encode("latin-1")
