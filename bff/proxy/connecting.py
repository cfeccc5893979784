"""A connection to an upstream that is being opened for one call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from bff.errors import GatewayError, UpstreamUnavailable, as_gateway_error

if TYPE_CHECKING:
    from bff.proxy.back import Back
    from bff.proxy.pool import Origin, Pool


class Applicant(Protocol):
    """Who needs the connection."""

    def write_to(self, back: Back) -> None:
        """Here it is."""
        ...

    def refused(self, error: GatewayError) -> None:
        """There is none to be had."""
        ...


class Connecting:
    """The wait for it; after `cancel` the applicant hears no more, and a connection that is made all the same ends."""

    __slots__ = ("_applicant", "_task")

    def __init__(self, pool: Pool, origin: Origin, applicant: Applicant) -> None:
        self._applicant: Applicant | None = applicant
        self._task = asyncio.get_running_loop().create_task(pool.connect(origin))
        self._task.add_done_callback(self._done)

    def cancel(self) -> None:
        """Stop waiting."""
        self._applicant = None
        self._task.cancel()

    def _done(self, task: asyncio.Task[Back]) -> None:
        applicant, self._applicant = self._applicant, None
        if applicant is None:
            if not task.cancelled() and task.exception() is None:
                task.result().abandon()
            return
        try:
            back = task.result()
        except Exception as error:  # noqa: BLE001 -- a call must be answered whatever went wrong
            applicant.refused(as_gateway_error(error))
            return
        if back.is_lost:
            applicant.refused(UpstreamUnavailable("upstream.connection_lost"))
        else:
            applicant.write_to(back)
