"""Corpora of `tests/data`: one case a line, as JSON, so that control characters have a spelling; bytes as Latin-1.

Where a text is a list, its parts follow each other, and `[part, count]` is a part that many times.
"""

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


def octets(text: str | list[str | list[Any]]) -> bytes:
    """Return the bytes a case spells."""
    parts = [text] if isinstance(text, str) else text
    return b"".join(
        part.encode("latin-1") if isinstance(part, str) else part[0].encode("latin-1") * part[1] for part in parts
    )
