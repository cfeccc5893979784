"""A document of the provider, kept: one fetch for all who ask, refreshed in the background, rather old than absent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar

from bff.errors import InvalidProviderAnswer, ProviderUnavailable
from bff.flights import Flights
from bff.logs import event

Document = TypeVar("Document")

FAILURE_MEMORY = 2.0
"""Seconds for which a failed fetch answers for all: an outage is not turned into a storm of requests."""

RELOAD_WINDOW = 5.0
"""Seconds that lie between two fetches made because a document did not have what was looked for."""


class RemoteDocument(Generic[Document]):
    """The last good version of a document, `name` in the log; `lifetime` and `max_age` are in seconds.

    After `lifetime` it is fetched again in the background while the old version is still given out, which ends at
    `max_age`. Every method that fetches raises `ProviderUnavailable` or `InvalidProviderAnswer`.
    """

    def __init__(
        self,
        name: str,
        fetch: Callable[[], Awaitable[Document]],
        *,
        lifetime: float,
        max_age: float,
        clock: Callable[[], float],
    ) -> None:
        self._name = name
        self._fetch = fetch
        self._lifetime = lifetime
        self._max_age = max_age
        self._clock = clock
        self._flights: Flights[Document] = Flights(partial(ProviderUnavailable, "shutdown"))
        self._document: Document | None = None
        self._fetched_at = 0.0
        self._failure: ProviderUnavailable | InvalidProviderAnswer | None = None
        self._failed_at = 0.0
        self._reloaded_at: float | None = None

    @property
    def latest(self) -> Document | None:
        """The last good version, however old."""
        return self._document

    @property
    def failure(self) -> ProviderUnavailable | InvalidProviderAnswer | None:
        """Why the last fetch failed, None if it did not."""
        return self._failure

    async def get(self) -> Document:
        """Return the document without waiting if there is one that may be used."""
        document = self._document
        if document is None:
            return await self._fetched()
        # An age below zero means that the clock was set back; the true age is then unknown.
        age = self._clock() - self._fetched_at
        if 0 <= age < self._lifetime:
            return document
        if abs(age) >= self._max_age:
            return await self._fetched()
        if self._recent_failure() is None:
            self._flights.start("fetch", self._fetch_and_keep)
        return document

    async def newer_than(self, seen: Document, *, patient: bool) -> Document:
        """Return a version fetched after `seen`, or `seen` itself if none may be fetched now.

        At most one fetch per `RELOAD_WINDOW` is made for this reason, whoever asks. `patient` callers wait for the
        window to open; for requests that anybody can send it must be False.
        """
        if self._document is not None and self._document is not seen:
            return self._document
        if not patient and self._reload_delay() > 0:
            return seen
        return await self._flights.join("reload", self._reload)

    async def close(self) -> None:
        """Cancel what is under way."""
        await self._flights.close(0)

    async def _reload(self) -> Document:
        await asyncio.sleep(self._reload_delay())
        self._reloaded_at = self._clock()
        return await self._flights.join("fetch", self._fetch_and_keep)

    def _reload_delay(self) -> float:
        if self._reloaded_at is None:
            return 0.0
        elapsed = self._clock() - self._reloaded_at
        return RELOAD_WINDOW - elapsed if 0 <= elapsed < RELOAD_WINDOW else 0.0

    async def _fetched(self) -> Document:
        failure = self._recent_failure()
        if failure is not None:
            # A new object: one that is raised again and again collects a traceback entry each time.
            raise type(failure)(failure.reason)
        return await self._flights.join("fetch", self._fetch_and_keep)

    def _recent_failure(self) -> ProviderUnavailable | InvalidProviderAnswer | None:
        return self._failure if 0 <= self._clock() - self._failed_at < FAILURE_MEMORY else None

    async def _fetch_and_keep(self) -> Document:
        try:
            document = await self._fetch()
        except (ProviderUnavailable, InvalidProviderAnswer) as failure:
            if self._failure is None or self._failure.reason != failure.reason:
                event(logging.WARNING, f"{self._name}.fetch_failed", reason=failure.reason)
            self._failure, self._failed_at = failure, self._clock()
            raise
        if self._failure is not None:
            event(logging.INFO, f"{self._name}.fetched_again")
        self._document, self._fetched_at, self._failure = document, self._clock(), None
        return document
