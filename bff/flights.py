"""Single-flight: work that must not happen twice at once, and does not end when the one who asked for it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

Outcome = TypeVar("Outcome")


class Flights(Generic[Outcome]):
    """At most one task per key; whoever asks while it runs waits for the same outcome.

    The task is nobody's child: a waiter that is cancelled leaves it running, and it is referenced until it is done.
    Whoever waits for a task that `close` cancels gets the exception that `stopped` makes.
    """

    def __init__(self, stopped: Callable[[], Exception]) -> None:
        self._stopped = stopped
        self._tasks: dict[str, asyncio.Task[Outcome]] = {}

    def current(self, key: str) -> asyncio.Task[Outcome] | None:
        """Return the task that runs for the key now."""
        task = self._tasks.get(key)
        return None if task is None or task.done() else task

    def start(self, key: str, work: Callable[[], Coroutine[Any, Any, Outcome]]) -> asyncio.Task[Outcome]:
        """Return the task that runs for the key, started now if there was none."""
        task = self.current(key)
        if task is None:
            task = asyncio.create_task(work())
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        return task

    async def join(self, key: str, work: Callable[[], Coroutine[Any, Any, Outcome]]) -> Outcome:
        """Return the outcome of the task for the key; raises what the task raised."""
        task = self.start(key, work)
        await asyncio.wait([task])
        if task.cancelled():
            raise self._stopped()
        return task.result()

    async def close(self, within: float) -> None:
        """Wait `within` seconds for what is under way, then cancel it."""
        await finish(list(self._tasks.values()), within)

    def _landed(self, key: str, task: asyncio.Task[Outcome]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        if not task.cancelled():
            # Marks the exception as retrieved: every waiter may have left.
            task.exception()


async def finish(tasks: list[asyncio.Task[Any]], within: float) -> None:
    """Wait `within` seconds for the tasks, then cancel what still runs and wait for its end."""
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=within)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late)
