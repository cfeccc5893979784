"""The environments that the documentation tells operators to use with a provider."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def environment_blocks(page: str) -> list[dict[str, str]]:
    """Return the variables of each shell block of a Markdown page that names an issuer."""
    return [parse_environment(block) for block in _BLOCK.findall(page) if "BFF_ISSUER=" in block]


def parse_environment(text: str) -> dict[str, str]:
    """Return the assignments of a shell script that consists of nothing else; comments are dropped."""
    words = shlex.split(text.replace("export ", ""), comments=True)
    assignments = dict(word.split("=", 1) for word in words)
    assert len(assignments) == len(words), "A variable is set twice."
    return assignments


def read_environment(file: Path) -> dict[str, str]:
    """Return the assignments in a file such as `gateway.env`."""
    return parse_environment(file.read_text(encoding="utf-8"))
