"""What a check found: one value per finding, how bad it is, and what that makes of the whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from bff.check.catalogue import FINDINGS

_LONGEST_QUOTE: Final = 200


class Level(IntEnum):
    """How bad a finding is, the worst last."""

    GOOD = 0
    NOTE = 1
    DEGRADED = 2
    UNUSABLE = 3

    @property
    def word(self) -> str:
        """The level as reports write it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at; `subject` tells which, where there are several of its kind.

    `seen` is a fact, `variable` the setting it depends on, `cure` what to do; only a good finding lacks a cure.
    """

    id: str
    level: Level
    seen: str
    variable: str
    cure: str | None = None
    subject: str | None = None

    def __post_init__(self) -> None:
        if self.id not in FINDINGS:
            raise ValueError(f"{self.id} is not in the catalogue")
        if (self.cure is None) is not (self.level is Level.GOOD):
            raise ValueError(f"{self.id}: a cure belongs to every finding but a good one")


def good(id: str, variable: str, seen: str, *, subject: str | None = None) -> Finding:  # noqa: A002
    """Return what is as it should be."""
    return Finding(id=id, level=Level.GOOD, seen=seen, variable=variable, subject=subject)


def note(id: str, variable: str, seen: str, cure: str, *, subject: str | None = None) -> Finding:  # noqa: A002
    """Return what works and is worth knowing."""
    return Finding(id=id, level=Level.NOTE, seen=seen, variable=variable, cure=cure, subject=subject)


def degraded(id: str, variable: str, seen: str, cure: str, *, subject: str | None = None) -> Finding:  # noqa: A002
    """Return what lets the gateway work, but not as it should."""
    return Finding(id=id, level=Level.DEGRADED, seen=seen, variable=variable, cure=cure, subject=subject)


def unusable(id: str, variable: str, seen: str, cure: str, *, subject: str | None = None) -> Finding:  # noqa: A002
    """Return what keeps users from logging in or from reaching an API."""
    return Finding(id=id, level=Level.UNUSABLE, seen=seen, variable=variable, cure=cure, subject=subject)


def verdict(findings: Iterable[Finding]) -> Level:
    """Return what the findings come to: notes change nothing."""
    worst = max((finding.level for finding in findings), default=Level.GOOD)
    return Level.GOOD if worst is Level.NOTE else worst


def exit_status(level: Level) -> int:
    """Return 0 for good, 1 for degraded, 2 for unusable."""
    return {Level.DEGRADED: 1, Level.UNUSABLE: 2}.get(level, 0)


def counted(number: int, what: str) -> str:
    """Return a number of things."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def shown(text: object) -> str:
    """Return foreign text for a report: nothing a terminal acts on, and not endless."""
    clean = "".join(character if character.isprintable() else "?" for character in str(text))
    return f"{clean[:_LONGEST_QUOTE]}…" if len(clean) > _LONGEST_QUOTE else clean


def quoted(text: object) -> str:
    """Return foreign text in quotation marks."""
    return f"“{shown(text)}”"
