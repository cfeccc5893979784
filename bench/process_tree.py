"""What a process and all its descendants cost, as the kernel counts it (`proc(5)`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """Return the process and its living descendants."""
    parents: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat_fields(int(entry.name))):
            parents.setdefault(int(fields[1]), []).append(int(entry.name))

    def below(ancestor: int) -> Iterator[int]:
        yield ancestor
        for child in parents.get(ancestor, ()):
            yield from below(child)

    return list(below(pid))


def cpu_seconds(pid: int) -> float:
    """Return the processor time the tree has used so far, in seconds, ended children included."""
    total = 0
    for member in tree(pid):
        if fields := _stat_fields(member):
            # utime, stime, and those of children that were waited for.
            total += sum(int(fields[position]) for position in (11, 12, 13, 14))
    return total / _TICKS


def memory_bytes(pid: int) -> dict[int, int]:
    """Return the proportional set size of each process of the tree, in bytes; shared pages are split fairly."""
    sizes = {}
    for member in tree(pid):
        try:
            rollup = (_PROC / str(member) / "smaps_rollup").read_text()
        except OSError:
            continue
        sizes[member] = next(
            (int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:")), 0
        )
    return sizes


def resident_bytes(pid: int) -> dict[int, int]:
    """Return the resident set size of each process of the tree, in bytes."""
    sizes = {}
    for member in tree(pid):
        try:
            pages = int((_PROC / str(member) / "statm").read_text().split()[1])
        except OSError:
            continue
        sizes[member] = pages * os.sysconf("SC_PAGE_SIZE")
    return sizes


def _stat_fields(pid: int) -> list[str]:
    """Return what follows the program's name in `/proc/<pid>/stat`, state first; nothing if the process has ended."""
    try:
        # The name is in parentheses and may itself contain some.
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
