"""The project's Markdown pages as tests read them: links, anchors, code in the text, code blocks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
GENERATED = {"static/dist/licenses.md"}
_FOLDERS = ("docs", "deploy", "static", "tests", "bench")
_NOT_OURS = {"node_modules", ".venv"}

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)|<(https?://[^>]+)>|<img [^>]*src=\"([^\"]+)\"")
_CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of code; `language` is empty where none is named, `line` counts from 1."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Page:
    """A page; `name` is its path in the repository."""

    name: str
    text: str

    @property
    def path(self) -> Path:
        """The file."""
        return CHECKOUT / self.name

    @property
    def blocks(self) -> list[Block]:
        """All fenced blocks."""
        return [
            Block(self.name, self.text.count("\n", 0, found.start()) + 1, found["language"], found["text"])
            for found in _FENCE.finditer(self.text)
        ]

    @property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return _FENCE.sub("", self.text)

    @property
    def links(self) -> list[str]:
        """Every link target, as it is written."""
        text = _CODE.sub("", self.prose)
        # A link's text may be code; the target is what counts.
        text = f"{text}\n{self.prose}"
        return sorted({next(filter(None, groups)) for groups in _LINK.findall(text)})

    @property
    def code(self) -> list[str]:
        """Every piece of code in the running text, line breaks as spaces."""
        return [" ".join(found[1].split()) for found in _CODE.findall(self.prose)]

    @property
    def anchors(self) -> set[str]:
        """What can follow `#` in a link to this page, as GitHub names it."""
        seen: Counter[str] = Counter()
        anchors = set()
        for heading in _HEADING.findall(self.prose):
            anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            anchors.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
            seen[anchor] += 1
        return anchors


def pages() -> list[Page]:
    """Return every page that people write, in the order of their names."""
    return [Page(name, (CHECKOUT / name).read_text(encoding="utf-8")) for name in sorted(_names())]


def page(name: str) -> Page:
    """Return one page."""
    return Page(name, (CHECKOUT / name).read_text(encoding="utf-8"))


def _names() -> Iterator[str]:
    folders = [CHECKOUT / folder for folder in _FOLDERS]
    files = [*CHECKOUT.glob("*.md"), *(file for folder in folders for file in folder.rglob("*.md"))]
    for file in files:
        name = file.relative_to(CHECKOUT)
        if _NOT_OURS.isdisjoint(name.parts) and name.as_posix() not in GENERATED:
            yield name.as_posix()
