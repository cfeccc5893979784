"""One proxied call from its head to its end.

    ADMITTING ──► CONNECTING ──► WAITING ──► ANSWERING ──► ENDED
      │ see        │ only if no    │ the request   │ the answer
      │ admission  │ connection    │ is on its way │ passes
      │            │ is idle       │               │
      └────────────┴───────────────┴──► refused: an answer of our own, ENDED

`_end` is the only way out, and works once. Nothing here is a task: the store, the connection and both sockets call
back. A request whose body has begun is never sent twice. One without a body, of an idempotent method, is, if an idle
connection turns out to be dead before a byte of the answer; so is what lacked a nonce (`bff.proxy.repetition`).
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from bff.errors import BadRequest, BodyTooLarge, GatewayError, NoSession, UpstreamTimeout, UpstreamUnavailable
from bff.http.answer_head import AnswerHead
from bff.http.upstream_head import upstream_head
from bff.proxy.admission import Admission
from bff.proxy.call_session import CallSession
from bff.proxy.challenge import step_up
from bff.proxy.connecting import Connecting
from bff.proxy.patience import STALL_LIMIT, Patience
from bff.proxy.repetition import repeats
from bff.proxy.report import Report, report_refusal
from bff.proxy.request_body import RequestBody, body_of
from bff.proxy.state import ADMITTING, ANSWERING, CONNECTING, ENDED, WAITING

if TYPE_CHECKING:
    from bff.proxy.back import Back
    from bff.proxy.bound_token import BoundToken
    from bff.proxy.context import ProxiedRoute, ProxyContext
    from bff.proxy.front import Front
    from bff.proxy.request import Request
    from bff.session.record import AccessToken
    from bff.sessions import Session


class Exchange:
    """A call in progress; the front tells it of the request, the back of the answer."""

    __slots__ = (
        "_admission", "_back", "_bound", "_chunks_answer", "_connecting", "_context", "_deadline", "_front", "_out",
        "_patience", "_report", "_request", "_request_head", "_route", "body", "closes_front",
        "session", "state", "to_head_request",
    )  # fmt: skip

    accepts_upgrade = False

    def __init__(self, context: ProxyContext, front: Front, route: ProxiedRoute, request: Request) -> None:
        self._context = context
        self._front = front
        self._route = route
        self._request = request
        self.state = ADMITTING
        self.closes_front = not request.keep_alive
        self.body: RequestBody = body_of(request.method, request.head, route.max_body)
        self.to_head_request = request.method == b"HEAD"
        self._admission: Admission | None = None
        self.session: CallSession | None = None
        self._connecting: Connecting | None = None
        self._back: Back | None = None
        self._bound: BoundToken | None = None
        self._request_head = b""
        self._out: list[bytes] = []
        self._report, self._chunks_answer = Report(), False
        self._patience = Patience(context.now + STALL_LIMIT)
        self._deadline = context.now + route.timeout

    # From the head to the upstream.

    def begin(self) -> None:
        """Ask for admission; all else follows from the answer."""
        self._context.exchanges.add(self)
        self._admission = Admission(self._context, self._route, self._request, self)
        self._admission.begin()

    def admitted(self, target: bytes, token: AccessToken | None, session: Session | None) -> None:
        """Put the request head together and find a connection for it."""
        route, request, head = self._route, self._request, self._request.head
        self._admission, self.session = None, None if session is None else CallSession.of(session)
        self._deadline = self._context.now + route.timeout
        if token is not None and token.dpop_key is not None:
            self._bound, token = self._context.proofs.of(token, route, request.method, target), None
            self.body.keep()
        self._request_head = upstream_head(
            request.method,
            target,
            head,
            host_line=route.host_line,
            forwarded=self._front.browser.forwarded_fields,
            request_id=request.request_id,
            access_token=None if token is None else token.value,
            upgrades=request.is_websocket,
        )
        self.send()

    def send(self, *, afresh: bool = False) -> None:
        """Send the request on an idle connection or a new one; what is left of an earlier sending goes to the pool."""
        pool, origin = self._context.pool, self._route.origin
        if self._back is not None:
            pool.give(origin, self._back)
            self._back = None
        back = None if afresh else pool.take(origin)
        if back is not None:
            self.write_to(back)
        else:
            self.state = CONNECTING
            self._connecting = Connecting(pool, origin, self)

    def write_to(self, back: Back) -> None:
        """Write the request to a connection."""
        self._connecting = None
        self.state = WAITING
        self._back = back
        self._report.sent_at = monotonic()
        back.start(self)
        front, body = self._front, self.body
        if front.is_write_paused:
            back.transport.pause_reading()
        is_first = (bound := self._bound) is None or bound.may_repeat
        body.send_on(back, self._request_head if bound is None else bound.presented_in(self._request_head))
        if is_first and not body.is_complete and body.received == 0 and self._request.expects_continue:
            front.write_continue()
        if front.flow.read_paused and not (back.is_write_paused or self.accepts_upgrade):
            # Even if the request is complete: only who reads hears that the browser leaves.
            front.resume_request_body()

    # The request's body, from the front.

    def request_body(self, data: bytes) -> None:
        """Pass a piece of the request's body on, or hold it until there is somewhere to send it."""
        if self.state is ENDED or self.body.is_complete:
            return
        if self.body.has_progressed:
            self._patience.renew(self._context.now)
            self._deadline = self._context.now + self._route.timeout
        try:
            if not self.body.add(data):
                self._front.pause_request_body()
        except BodyTooLarge as error:
            self.refused(error)

    def request_complete(self) -> None:
        """Take note that the request has ended."""
        if self.state is not ENDED and not self.body.is_complete:
            self.body.end()

    def pause_request(self) -> None:
        """The upstream does not keep up with the request's body."""
        if not self.body.is_complete:
            self._front.pause_request_body()

    def resume_request(self) -> None:
        """The upstream keeps up again."""
        self._patience.renew(self._context.now)
        self._front.resume_request_body()

    # The answer, from the back.

    def answer_head(self, status: int, fields: list[tuple[bytes, bytes]]) -> bool:
        """Pass the head of the answer on; return whether the body ends only with the upstream's connection."""
        route, request = self._route, self._request
        head = AnswerHead(
            status, fields, to_head_request=self.to_head_request, is_personal=route.is_personal,
            cookie_names=route.cookie_names, relocation=route.relocation,
        )  # fmt: skip
        if self._bound is not None and repeats(self, self._back, self._bound, status, fields):
            return head.ends_with_connection
        if (demand := step_up(self._context, route, status, fields, self.session)) is not None:
            self.refused(demand)
            return False
        self.state = ANSWERING
        self._report.answered(status)
        is_length_unknown = head.is_length_unknown
        self._chunks_answer = is_length_unknown and request.is_http_11
        # HTTP/1.0 knows an unknown length only as the end of the connection. And where the upstream answers before it
        # has read the request, what is left of it will be read and thrown away.
        self.closes_front |= (is_length_unknown and not request.is_http_11) or not self.body.is_complete
        self._out.append(
            head.framed(
                chunks=self._chunks_answer,
                closes=self.closes_front,
                request_id=request.request_id,
                date=b"" if head.has_date else self._front.date_line,
            )
        )
        return is_length_unknown and not head.is_chunked

    def answer_body(self, data: bytes) -> None:
        """Take a piece of the answer's body; `answer_flush` passes it on."""
        self._report.sent += len(data)
        self._out.append(b"%x\r\n%b\r\n" % (len(data), data) if self._chunks_answer else data)

    def answer_flush(self) -> None:
        """Write what came with one read of the upstream's socket in one go."""
        out = self._out
        if out:
            self._out = []
            self._front.transport.write(out[0] if len(out) == 1 else b"".join(out))

    def answer_complete(self) -> None:
        """The answer has ended and was understood to the last byte."""
        if self._chunks_answer:
            self._out.append(b"0\r\n\r\n")
        # Parted from the back first, so that a browser that reads slowly pauses no connection that goes to the pool.
        back, self._back = self._back, None
        assert back is not None, "it is the back that says so"
        self.answer_flush()
        if self.body.leaves_no_doubt:
            self._context.pool.give(self._route.origin, back)
        else:
            back.abandon()
        self._end(None)

    def back_lost(self, reason: str) -> None:
        """The upstream's connection broke, or what it said cannot be an answer."""
        back, self._back = self._back, None
        is_stale = back is not None and back.served > 0 and not back.has_answered and self.state is WAITING
        if is_stale and self.body.may_be_repeated():
            self.send(afresh=True)
        else:
            self.refused(UpstreamUnavailable(reason))

    # Back-pressure from the browser, deadlines, and ends.

    def pause_answer(self) -> None:
        """The browser does not keep up with the answer."""
        self._patience.renew(self._context.now)
        if self._back is not None:
            self._back.transport.pause_reading()

    def resume_answer(self) -> None:
        """The browser keeps up again."""
        self._patience.renew(self._context.now)
        if self._back is not None:
            self._back.transport.resume_reading()

    def sweep(self, now: float) -> None:
        """Enforce the deadlines; called about twice a second."""
        is_over = self._patience.is_over(now, self._front.transport)
        if self.state < ANSWERING and now > self._deadline:
            waits_for_browser = self._back is not None and self._front.waits_for_browser(self)
            self.refused(BadRequest("browser.stalled") if waits_for_browser else UpstreamTimeout("upstream.timeout"))
        elif is_over and self._front.waits_for_browser(self):
            self.abort("browser_stalled")

    def front_lost(self) -> None:
        """The browser has gone."""
        self._end("browser_left")

    def session_ended(self, error: NoSession) -> None:
        """Break off an answer that has outlived the session it belongs to."""
        self.abort(error.code)

    def leave(self) -> None:
        """End an event stream, since this process ends: the browser connects to another one."""
        if self.state is ANSWERING and self._back is not None and self._back.sends_events:
            self.abort("shutdown")

    def abort(self, reason: str) -> None:
        """Break off without an end, so that half an answer is not taken for a whole one."""
        if self.state is not ENDED:
            self._out.clear()
            self._front.transport.abort()
            self._end(reason)

    def refused(self, error: GatewayError) -> None:
        """Answer the request ourselves; what was begun with the upstream is broken off."""
        if self.state is ENDED:
            return
        report_refusal(self._context, self._route, self._request, error)
        if self.state is ANSWERING:
            self.abort(error.code)
            return
        self.closes_front = self.closes_front or not self.body.is_worth_reading
        self._report.status = error.status
        self._report.sent = self._front.write_refusal(error, self._request, closes=self.closes_front)
        self._end(error.code)

    def _end(self, code: str | None) -> None:
        if self.state is ENDED:
            return
        self.state = ENDED
        self._context.exchanges.discard(self)
        if self._admission is not None:
            self._admission.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
        back, self._back = self._back, None
        if back is not None:
            back.abandon()
        self.body.drop()
        self._report.write(self._context, self._route, self._request, client=self._front.browser.name, code=code)
        self._front.exchange_ended(self)
