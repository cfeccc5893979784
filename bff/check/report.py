"""The report, for people and for programs; docs/check.md describes the latter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from bff.check.findings import Finding, Level, exit_status, verdict
from bff.check.posture import Stand, Standing
from bff.check.requirements import STANDARDS

SCHEMA: Final = 1
"""Raised when a member of the JSON report changes its meaning or goes; new members may come at any time."""

_MARKS: Final = {Level.GOOD: "ok", Level.NOTE: "note", Level.DEGRADED: "DEGRADED", Level.UNUSABLE: "UNUSABLE"}
_COLOURS: Final = {Level.GOOD: "32", Level.NOTE: "36", Level.DEGRADED: "33", Level.UNUSABLE: "1;31"}
_STANDING_COLOURS: Final = {Standing.MET: "32", Standing.NOT_MET: "33", Standing.WAIVED: "36", Standing.UNKNOWN: "36"}
_WIDTH: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that was found; `register` are addresses to register at the provider, by what they are called there."""

    version: str
    findings: Sequence[Finding]
    register: dict[str, str]
    posture: Sequence[Stand] = ()

    @property
    def verdict(self) -> Level:
        """What it all comes to."""
        return verdict(self.findings)

    @property
    def exit_status(self) -> int:
        """0 good, 1 degraded, 2 unusable."""
        return exit_status(self.verdict)

    def document(self) -> dict[str, Any]:
        """Return the JSON report."""
        return {
            "schema": SCHEMA,
            "version": self.version,
            "verdict": self.verdict.word,
            "exit_status": self.exit_status,
            "register": self.register,
            "findings": [
                {
                    "id": finding.id,
                    "level": finding.level.word,
                    "subject": finding.subject,
                    "seen": finding.seen,
                    "variable": finding.variable,
                    "cure": finding.cure,
                }
                for finding in self.findings
            ],
            "posture": [
                {
                    "id": stand.requirement.id,
                    "force": stand.requirement.force,
                    "section": stand.requirement.section,
                    "asks": stand.requirement.asks,
                    "standing": stand.standing.value,
                    "why": stand.why,
                }
                for stand in self.posture
            ],
        }

    def text(self, *, colour: bool) -> str:
        """Return the report as lines of text."""
        paint = _painted if colour else _plain
        lines: list[str] = []
        for finding in self.findings:
            mark = paint(f"{_MARKS[finding.level]:<{_WIDTH}}", _COLOURS[finding.level])
            subject = "" if finding.subject is None else f" [{finding.subject}]"
            lines.append(f"{mark}{finding.id}{subject}: {finding.seen}")
            if finding.cure is not None:
                lines.append(f"{'':<{_WIDTH}}  {finding.variable}: {finding.cure}")
        if self.register:
            lines += ["", "Register at the provider:"]
            lines += [f"  {name}: {url}" for name, url in self.register.items()]
        if self.posture:
            for name, group in groupby(self.posture, key=lambda stand: stand.requirement.id.partition("-")[0]):
                lines += ["", f"Posture, {STANDARDS[name]}:", *self._group(list(group), paint)]
        counts = [(level, sum(finding.level is level for finding in self.findings)) for level in reversed(Level)]
        summary = ", ".join(f"{count} {level.word}" for level, count in counts if count)
        return "\n".join([*lines, "", paint(f"{self.verdict.word}: {summary}", _COLOURS[self.verdict]), ""])

    def _group(self, stands: list[Stand], paint: Any) -> list[str]:
        """Return a line for each stand, or one for all of a standard that does not apply."""
        if any(stand.standing is not Standing.WAIVED for stand in stands):
            return [self._stand(stand, paint) for stand in stands]
        waived = paint(f"{Standing.WAIVED.value:<8}", _STANDING_COLOURS[Standing.WAIVED])
        return [f"  {waived}{stands[0].requirement.id} to {stands[-1].requirement.id}: {stands[0].why}"]

    @staticmethod
    def _stand(stand: Stand, paint: Any) -> str:
        standing = paint(f"{stand.standing.value:<8}", _STANDING_COLOURS[stand.standing])
        requirement = stand.requirement
        return f"  {standing}{requirement.id:<8}{requirement.force:<7}{requirement.asks}: {stand.why}"


def _painted(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m"


def _plain(text: str, colour: str) -> str:
    return text
