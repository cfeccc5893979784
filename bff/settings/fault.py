"""What is wrong with a value: the rule it breaks and the cure, never the value itself."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

_SHOWABLE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Unacceptable(Exception):
    """A value breaks a rule; raised by every parser of this package and turned into one line of `SettingsInvalid`."""

    def __init__(self, rule: str, cure: str) -> None:
        super().__init__(f"{rule}. {cure}.")
        self.rule = rule
        self.cure = cure


class Faults:
    """All faults found so far; the order is the one in which they were found, none is kept twice."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}

    def add(self, where: str, rule: str, cure: str) -> None:
        """Note that `where`, a variable or a place in one, breaks `rule`, and how to mend it."""
        self._lines[f"{where}: {rule}. {cure}{'' if cure.endswith('?') else '.'}"] = None

    def add_unacceptable(self, where: str, fault: Unacceptable) -> None:
        """Note what a parser found."""
        self.add(where, fault.rule, fault.cure)

    @property
    def lines(self) -> tuple[str, ...]:
        """One line for each fault."""
        return tuple(self._lines)


def near_miss(word: str, known: Collection[str]) -> str | None:
    """Return the known word that `word` most likely was meant to be."""
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.7)
    return found[0] if found else None


def one_of(word: str, known: Collection[str]) -> Unacceptable:
    """Return the fault of a word that is none of the known ones."""
    meant = near_miss(word.lower(), known)
    cure = f"Did you mean {meant}?" if meant else "Choose one of these"
    return Unacceptable(f"must be one of {', '.join(known)}", cure)


def shown_name(name: str) -> str:
    """Return a name for use in a fault: itself if it is an ordinary one, else a description."""
    return name if _SHOWABLE.fullmatch(name) else "(a name with unusual characters)"
