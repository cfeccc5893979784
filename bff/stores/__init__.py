"""Where sessions are kept: in Redis, or in this process's memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bff.session.sealing import sealing_context
from bff.session.store import SessionStore
from bff.stores.memory import MemoryStore

if TYPE_CHECKING:
    from bff.settings import Settings


def open_store(settings: Settings, clock: Callable[[], float]) -> SessionStore:
    """Return the store the settings ask for; nothing is connected yet. Raises `ValueError` for an unusable URL."""
    if settings.redis_url is None:
        return MemoryStore(clock)
    # Imported here: redis-py is a third of all that is imported, and memory does without.
    from bff.stores.redis import RedisStore

    context = sealing_context(settings.issuer, settings.client_id, settings.public_url.origin)
    return RedisStore(
        settings.redis_url.reveal(),
        namespace=namespace_of(context),
        ca_file=settings.ca_file,
        clock=clock,
    )


def trust_authorities(store: SessionStore, ca_file: Path) -> None:
    """Let a store in Redis trust the authorities of the file too; raises `OSError` for one that cannot be used."""
    if isinstance(store, MemoryStore):
        return
    from bff.stores.redis import RedisStore

    if isinstance(store, RedisStore):
        store.trust(ca_file)


def namespace_of(context: bytes) -> str:
    """Return what all keys of one application at one provider begin with, so that many can share one Redis."""
    return f"bff:{context[:8].hex()}"
