"""Sampled stacks put into shares; py-spy's raw form has frames from the outermost in, semicolons between, a count."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

SYSTEM = "kernel: sockets and files"
LOOP = "event loop, HTTP parsers, interpreter"
_SYSTEM_CALLS = {
    "write",
    "writev",
    "read",
    "readv",
    "send",
    "sendto",
    "sendmsg",
    "recv",
    "recvfrom",
    "recvmsg",
    "close",
}
_WAITING = {"poll", "epoll_wait", "epoll_pwait", "epoll_pwait2", "select"}
# The two that only run the loop are on every stack.
_OWN = re.compile(r"\((?:.*/)?(bff/(?!server\.py|__main__\.py)[\w/]+\.py)(?::\d+)?\)$")


def shares(lines: Iterable[str]) -> dict[str, float]:
    """Return the share of each part, largest first: a sample counts for the innermost file of ours on its stack.

    System calls are a part of their own, whoever makes them; samples of a waiting process are left out.
    """
    counts: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.strip().rpartition(" ")
        frames = stack.split(";")
        leaf = frames[-1].partition(" ")[0].removeprefix("__").removeprefix("libc_")
        if not stack or leaf in _WAITING:
            continue
        counts[SYSTEM if leaf in _SYSTEM_CALLS else _innermost(frames)] += int(count)
    total = counts.total()
    return {part: count / total for part, count in counts.most_common()}


def _innermost(frames: list[str]) -> str:
    for frame in reversed(frames):
        if found := _OWN.search(frame):
            return found[1]
    return LOOP
