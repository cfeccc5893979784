"""The body of a request on its way up: counted, framed as it came, held until there is a connection to send it on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bff.errors import BodyTooLarge

if TYPE_CHECKING:
    from bff.http.request_head import RequestHead
    from bff.proxy.back import Back

HOLD_LIMIT = 64 * 1024
PROGRESS = 1024
"""Bytes that must come for a deadline to move on: a body of single bytes holds no upstream for ever."""
_LAST_CHUNK = b"0\r\n\r\n"
_IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"})
_USUALLY_WITHOUT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"DELETE"})


class RequestBody:
    """What was received of a body and what has become of it; `limit` is in bytes."""

    __slots__ = (
        "_back",
        "_held",
        "_held_size",
        "_is_chunked",
        "_is_idempotent",
        "_is_small",
        "_is_unexpected",
        "_kept",
        "_kept_size",
        "_limit",
        "_progress_at",
        "is_complete",
        "received",
    )

    def __init__(self, method: bytes, head: RequestHead, limit: int) -> None:
        self.is_complete = head.content_length in (None, 0) and not head.is_chunked
        self.received = self._progress_at = 0
        self._is_chunked = head.is_chunked
        self._is_idempotent = method in _IDEMPOTENT
        self._is_unexpected = method in _USUALLY_WITHOUT
        self._is_small = (
            head.content_length is not None and head.content_length <= HOLD_LIMIT and not head.all(b"expect")
        )
        self._limit = limit
        self._back: Back | None = None
        self._held: list[bytes] = []
        self._held_size = 0
        self._kept: list[bytes] | None = None
        self._kept_size = 0

    @property
    def has_progressed(self) -> bool:
        """Whether enough has come since this was last true; the first piece always is."""
        if self._progress_at > self.received:
            return False
        self._progress_at = self.received + PROGRESS
        return True

    @property
    def is_absent(self) -> bool:
        """Whether the request has no body at all."""
        return self.is_complete and self.received == 0 and not self._is_chunked

    def may_be_repeated(self) -> bool:
        """Whether the request may be sent again: nothing of it is lost, and twice is as good as once; true once."""
        may, self._is_idempotent = self._is_idempotent and self.is_absent, False
        return may

    @property
    def leaves_no_doubt(self) -> bool:
        """Whether the upstream certainly knows where the request ended.

        One that expects no body may take it for the next request, and that must not be somebody else's.
        """
        return self.is_complete and (not self._is_unexpected or self.is_absent)

    @property
    def is_worth_reading(self) -> bool:
        """Whether what may still come is so little that reading it is better than losing the connection."""
        return self.is_complete or self._is_small

    def add(self, data: bytes) -> bool:
        """Send or hold a piece; return False when no more should be read until `send_on`. Raises `BodyTooLarge`."""
        self.received += len(data)
        if self.received > self._limit:
            raise BodyTooLarge("body.received")
        self._pass(b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data)
        return self._held_size <= HOLD_LIMIT

    def end(self) -> None:
        """Take note that the request has ended."""
        self.is_complete = True
        if self._is_chunked:
            self._pass(_LAST_CHUNK)

    def keep(self) -> None:
        """Keep a copy of what is sent, up to `HOLD_LIMIT`: the request may have to be sent once more."""
        self._kept = []

    def rewind(self) -> bool:
        """Hold the whole body again for another `send_on`; return False if it is no longer at hand."""
        if self._back is None:
            # It was complete before anything was sent, and is held still.
            return self.is_complete
        if self._kept is None:
            return False
        self._back = None
        self._held, self._held_size = self._kept, self._kept_size
        self.keep()
        self._kept_size = 0
        return True

    def _copy(self, framed: bytes) -> None:
        self._kept_size += len(framed)
        if self._kept is not None and self._kept_size <= HOLD_LIMIT:
            self._kept.append(framed)
        else:
            self._kept = None

    def _pass(self, framed: bytes) -> None:
        if self._back is not None:
            if self._kept is not None:
                self._copy(framed)
            self._back.transport.write(framed)
        else:
            self._held.append(framed)
            self._held_size += len(framed)

    def send_on(self, back: Back, request_head: bytes) -> None:
        """Write the request's head with what is held, and all that follows as it comes."""
        if self.is_complete:
            # Nothing follows, and nothing is let go of: a request without a body may have to be sent once more.
            back.transport.write(b"".join((request_head, *self._held)) if self._held else request_head)
            return
        self._back = back
        held, self._held, self._held_size = self._held, [], 0
        if self._kept is not None:
            self._copy(b"".join(held))
        back.transport.write(b"".join((request_head, *held)) if held else request_head)

    def drop(self) -> None:
        """Let go of the connection and of what is held."""
        self._back = None
        self._held = []
        self._held_size = 0
        self._kept = None


class NoBody(RequestBody):
    """The body of a request that has none: there is nothing to count, to hold or to keep."""

    __slots__ = ()

    is_complete = is_absent = leaves_no_doubt = is_worth_reading = True
    received = 0

    def __init__(self, method: bytes) -> None:
        self._is_idempotent = method in _IDEMPOTENT

    def may_be_repeated(self) -> bool:
        """Whether the request may be sent again; true once."""
        may, self._is_idempotent = self._is_idempotent, False
        return may

    def keep(self) -> None:
        """Nothing has to be kept."""

    def rewind(self) -> bool:
        """Return True: it is at hand."""
        return True

    def send_on(self, back: Back, request_head: bytes) -> None:
        """Write the request's head."""
        back.transport.write(request_head)

    def drop(self) -> None:
        """Nothing is held."""


def body_of(method: bytes, head: RequestHead, limit: int) -> RequestBody:
    """Return what takes the body of a request with this head, if it has one."""
    if head.content_length in (None, 0) and not head.is_chunked:
        return NoBody(method)
    return RequestBody(method, head, limit)
