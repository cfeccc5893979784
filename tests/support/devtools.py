"""The Chrome DevTools Protocol over its WebSocket: calls, and events as they come."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

PATIENCE = 60.0

Parameters = dict[str, Any]
Listener = Callable[[str, Parameters], None]


class DevToolsError(Exception):
    """The browser refused a call, or is gone."""


class DevTools:
    """A connection to a browser; sessions are attached to its pages by `flatten`.

    Listeners run in the reading thread: they may note things and `send`, but must not `call`.
    """

    def __init__(self, url: str) -> None:
        self._open = contextlib.ExitStack()
        connection = connect(url, max_size=None, compression=None, proxy=None, ping_interval=None)
        self._socket = self._open.enter_context(connection)
        self._changed = threading.Condition()
        self._sending = threading.Lock()
        self._last_id = 0
        self._answers: dict[int, Parameters] = {}
        self._unanswered: set[int] = set()
        self._listeners: dict[str | None, Listener] = {}
        self._is_closed = False
        self._reader = threading.Thread(target=self._read, name="devtools", daemon=True)
        self._reader.start()

    def close(self) -> None:
        """End the connection."""
        self._open.close()
        self._reader.join(PATIENCE)

    def listen(self, session: str | None, listener: Listener) -> None:
        """Have a session's events told to `listener`."""
        self._listeners[session] = listener

    def send(self, method: str, session: str | None = None, /, **parameters: Any) -> int:
        """Send a call whose answer nobody waits for; return its number."""
        with self._sending:
            self._last_id += 1
            number = self._last_id
            message: Parameters = {"id": number, "method": method, "params": parameters}
            if session is not None:
                message["sessionId"] = session
            self._socket.send(json.dumps(message))
        return number

    def call(
        self, method: str, session: str | None = None, /, *, patience: float = PATIENCE, **parameters: Any
    ) -> Parameters:
        """Send a call and return its result; raises `DevToolsError`."""
        with self._sending:
            number = self._last_id + 1
            self._unanswered.add(number)
            self._last_id = number
            message: Parameters = {"id": number, "method": method, "params": parameters}
            if session is not None:
                message["sessionId"] = session
            self._socket.send(json.dumps(message))
        try:
            self.wait_for(lambda: number in self._answers, f"the answer to {method}", patience)
        finally:
            with self._changed:
                self._unanswered.discard(number)
                answer = self._answers.pop(number, {})
        if "error" in answer:
            raise DevToolsError(f"{method}: {answer['error'].get('message')}")
        result: Parameters = answer["result"]
        return result

    def wait_for(self, condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        """Return when an answer or event has made `condition` true; raises `DevToolsError` when none did."""
        with self._changed:
            came = self._changed.wait_for(lambda: condition() or self._is_closed, patience)
            if not came or not condition():
                raise DevToolsError(
                    f"The browser {'is gone' if self._is_closed else 'was silent'}: {what} did not come."
                )

    def _read(self) -> None:
        try:
            for text in self._socket:
                message = json.loads(text)
                if "id" in message:
                    with self._changed:
                        if message["id"] in self._unanswered:
                            self._unanswered.discard(message["id"])
                            self._answers[message["id"]] = message
                        self._changed.notify_all()
                    continue
                listener = self._listeners.get(message.get("sessionId"))
                with self._changed:
                    if listener is not None:
                        listener(message["method"], message["params"])
                    self._changed.notify_all()
        except ConnectionClosed:
            pass
        finally:
            with self._changed:
                self._is_closed = True
                self._changed.notify_all()
