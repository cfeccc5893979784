"""The states of a proxied call, in the order in which it goes through them; drawn in `bff.proxy.exchange`."""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """How far a call has come."""

    ADMITTING = 0
    CONNECTING = 1
    WAITING = 2
    ANSWERING = 3
    ENDED = 4


ADMITTING, CONNECTING, WAITING, ANSWERING, ENDED = State
