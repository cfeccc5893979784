"""Who an upstream's connection speaks to: the exchange that it carries, as the connection sees it."""

from __future__ import annotations

from typing import Protocol


class AnswerReceiver(Protocol):
    """What an exchange does with an answer; `to_head_request` tells whether a body can follow the head."""

    to_head_request: bool

    @property
    def accepts_upgrade(self) -> bool:
        """Whether the upstream was asked to switch protocols."""
        ...

    def answer_head(self, status: int, fields: list[tuple[bytes, bytes]]) -> bool:
        """Take the head of the final answer; return whether its body ends only with the connection."""
        ...

    def answer_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        ...

    def answer_flush(self) -> None:
        """Pass on what has been taken; called once for each read of the socket."""
        ...

    def answer_complete(self) -> None:
        """Take note that the answer has ended; called when the connection holds no byte after it."""
        ...

    def back_lost(self, reason: str) -> None:
        """Take note that the connection broke before the answer was complete."""
        ...

    def pause_request(self) -> None:
        """Stop sending the request's body: the upstream does not keep up."""
        ...

    def resume_request(self) -> None:
        """Send on."""
        ...


class UpgradeReceiver(AnswerReceiver, Protocol):
    """What a tunnel does once the upstream has switched protocols."""

    def upgraded(self, fields: list[tuple[bytes, bytes]]) -> None:
        """Take the head of the 101."""
        ...

    def from_upstream(self, data: bytes) -> None:
        """Take what follows it."""
        ...
