"""The client's credentials renewed while the gateway runs, and a warning before its certificate ends.

    every 30 s ─► have their files changed? ─► read, checked together ─┬─► in use for all that is opened from now on
                                                                       └─► not usable: those in use stay, and an error

Whoever renews certificates writes files and leaves it at that; a gateway that read them at its start alone would be cut
off from provider and upstreams in the night when the old one ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from bff.errors import SettingsInvalid
from bff.logs import event
from bff.settings import Settings
from bff.settings.credentials import EXPIRES_SOON, certificate_ends_at
from bff.settings.renewal import renewed

INTERVAL: Final = 30.0
"""Seconds between looks at the files."""

REMINDER: Final = 86400.0
"""Seconds between warnings of a certificate that ends soon."""

_Stamps = tuple[tuple[int, int, int] | None, ...]


class CredentialRenewal:
    """Looks after the credentials of `settings`; `use` is given each renewal, and raises if it cannot take it.

    `clock` tells seconds since the epoch; `interval` is in seconds.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float],
        use: Callable[[Settings], Awaitable[None]],
        interval: float = INTERVAL,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._use = use
        self._interval = interval
        self._stamps: _Stamps | None = None
        self._reminded_at = float("-inf")

    @property
    def certificate_ends_at(self) -> float | None:
        """When the certificate in use ends, in seconds since the epoch; None if there is none."""
        chain = self._settings.client_cert
        return None if chain is None else certificate_ends_at(chain)

    async def run(self) -> None:
        """Look now and again for as long as the gateway runs."""
        while True:
            await self.look()
            await asyncio.sleep(self._interval)

    async def look(self) -> None:
        """Take what has changed into use, and say whether the certificate ends soon; raises nothing."""
        paths = tuple(path for _, path in self._settings.credential_files)
        stamps = await asyncio.to_thread(_stamps, paths)
        if stamps != self._stamps:
            await self._renew(is_first=self._stamps is None)
            self._stamps = stamps
        self._remind()

    async def _renew(self, *, is_first: bool) -> None:
        try:
            settings = await asyncio.to_thread(renewed, self._settings)
            # A worker that takes the place of another is given what was read when the gateway started.
            if is_first and settings == self._settings:
                return
            await self._use(settings)
        except SettingsInvalid as invalid:
            for line in invalid.faults:
                variable, _, explanation = line.partition(": ")
                event(logging.ERROR, "credentials.unusable", variable=variable, explanation=explanation)
            return
        except Exception as error:  # noqa: BLE001 -- whatever it is, the next files may be better
            # Its text may quote what is in the file.
            event(logging.ERROR, "credentials.unusable", reason=type(error).__name__)
            return
        self._settings, self._reminded_at = settings, float("-inf")
        event(logging.INFO, "credentials.renewed", variable=" ".join(name for name, _ in settings.credential_files))

    def _remind(self) -> None:
        ends_at, now = self.certificate_ends_at, self._clock()
        if ends_at is None or ends_at - now >= EXPIRES_SOON or now - self._reminded_at < REMINDER:
            return
        self._reminded_at = now
        left = ends_at - now
        if left > 0:
            event(logging.WARNING, "client_certificate.expires_soon", variable="BFF_CLIENT_CERT", seconds=round(left))
        else:
            event(logging.ERROR, "client_certificate.expired", variable="BFF_CLIENT_CERT")


def _stamps(paths: tuple[Path, ...]) -> _Stamps:
    """Return what tells whether files were written; of one that is not there, None."""
    return tuple(_stamp(path) for path in paths)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
