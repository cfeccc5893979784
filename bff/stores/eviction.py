"""A look at whether the store may throw sessions away, at the start and in the background."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bff.errors import StoreUnavailable
from bff.logs import event
from bff.stores.inspection import inspect_store

LIMIT: Final = 10.0
"""Seconds for the whole look."""

_EXPLANATION: Final = "maxmemory-policy is not noeviction: full memory logs users out, and forgets logouts"


async def warn_of_eviction(url: str, *, ca_file: Path | None, clock: Callable[[], float]) -> None:
    """Log a warning for each server that may evict; raises nothing, and is silent where it cannot know.

    A server may refuse its settings to the gateway's user; `bff check` then says so.
    """
    try:
        async with asyncio.timeout(LIMIT):
            facts = await inspect_store(url, ca_file=ca_file, clock=clock)
    except TimeoutError:
        event(logging.DEBUG, "store.not_inspected", reason="store.timeout")
        return
    except StoreUnavailable as error:
        event(logging.DEBUG, "store.not_inspected", reason=error.reason)
        return
    for server in facts.servers:
        if server.eviction is None:
            event(logging.DEBUG, "store.not_inspected", reason="store.policy_unknown", store=server.name)
        elif server.eviction != "noeviction" and server.max_memory != 0:
            event(
                *(logging.WARNING, "store.may_evict"),
                store=server.name,
                variable="BFF_REDIS_URL",
                explanation=_EXPLANATION,
            )
