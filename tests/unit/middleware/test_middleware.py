"""What every answer has, whichever endpoint or file it comes from."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Sequence

import pytest
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bff.asgi.answers import ErrorPage, Refusal
from bff.asgi.request import Notes, Request, attach_notes, notes_of
from bff.errors import BadRequest, GatewayError, MethodNotAllowed, NoSession, StoreUnavailable
from bff.http.forwarded import Network
from bff.middleware.access import Access
from bff.middleware.error_answers import ErrorAnswers
from bff.middleware.security_headers import SecurityHeaders
from tests.support.asgi_call import Answer, Fields, call

HTML = [("Sec-Fetch-Mode", "navigate")]


def raising(error: Exception) -> ASGIApp:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise error

    return app


def answering(answer: Response) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        notes_of(scope).route = "test"
        await answer(scope, receive, send)

    return app


class TestErrorAnswers:
    refused: list[GatewayError]

    async def ask(self, inner: ASGIApp, fields: Fields = ()) -> Answer:
        self.refused = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            attach_notes(scope, Notes("the-id", "-"))
            await ErrorAnswers(inner, on_refusal=self.note)(scope, receive, send)
            self.code = notes_of(scope).code

        return await call(app, "GET", "/bff/x", fields)

    def note(self, _request: Request, error: GatewayError) -> None:
        self.refused.append(error)

    async def test_an_answer_passes(self) -> None:
        assert (await self.ask(answering(Response(b"x")))).body == b"x"
        assert self.refused == []

    async def test_an_error_becomes_problem_details(self) -> None:
        answer = await self.ask(raising(StoreUnavailable("store.reason")))
        assert answer.status == 503
        assert answer["content-type"] == "application/problem+json"
        assert answer["retry-after"] == "2"
        assert answer["cache-control"] == "no-store"
        assert answer.json["code"] == self.code == "store_unavailable"
        assert answer.json["request_id"] == "the-id"
        assert "login_url" not in answer.json
        assert "reason" not in answer.text
        assert [error.reason for error in self.refused] == ["store.reason"]

    async def test_a_missing_session_says_where_to_log_in(self) -> None:
        assert (await self.ask(raising(NoSession()))).json["login_url"] == "/bff/login"
        assert 'href="/bff/login"' in (await self.ask(raising(NoSession()), HTML)).text

    async def test_a_refused_method_says_which_are_allowed(self) -> None:
        assert (await self.ask(raising(MethodNotAllowed(("GET", "POST")))))["allow"] == "GET, POST"

    async def test_a_navigation_gets_a_page(self) -> None:
        answer = await self.ask(raising(BadRequest("x")), HTML)
        assert answer["content-type"] == "text/html; charset=utf-8"
        assert "bad_request, reference the-id" in answer.text
        assert 'href="/"' in answer.text

    async def test_a_refusal_brings_its_own_page_and_cookies(self) -> None:
        page = ErrorPage(title="Own <title>", lines=("Own & line",), links=(("/on?a&b", "On"),))
        answer = await self.ask(raising(Refusal(BadRequest(), page, ("a=b", "c=d"))), HTML)
        assert answer.status == 400
        assert "Own &lt;title&gt;" in answer.text
        assert "Own &amp; line" in answer.text
        assert 'href="/on?a&amp;b"' in answer.text
        assert answer.all("set-cookie") == ["a=b", "c=d"]
        assert (await self.ask(raising(Refusal(BadRequest(), page, ("a=b",))))).json["code"] == "bad_request"

    async def test_what_nobody_foresaw_is_500_and_says_nothing(self) -> None:
        answer = await self.ask(raising(RuntimeError("secret")))
        assert (answer.status, answer.json["code"]) == (500, "internal")
        assert "secret" not in answer.text
        assert [error.reason for error in self.refused] == ["internal.RuntimeError"]

    async def test_an_error_after_the_answer_began_breaks_it_off(self) -> None:
        async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise RuntimeError("late")

        with pytest.raises(RuntimeError, match="late"):
            await self.ask(app)


class TestSecurityHeaders:
    async def ask(self, answer: Response, path: str = "/x", *, is_secure: bool = True) -> Answer:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            attach_notes(scope, Notes("1", "-"))
            middleware = SecurityHeaders(answering(answer), is_secure=is_secure, own_prefix="/bff")
            await middleware(scope, receive, send)

        return await call(app, "GET", path)

    async def test_every_answer_has_the_strictest_of_each(self) -> None:
        answer = await self.ask(Response(b""))
        assert answer["x-content-type-options"] == "nosniff"
        assert answer["referrer-policy"] == "no-referrer"
        assert answer["cross-origin-opener-policy"] == "same-origin"
        assert answer["x-frame-options"] == "DENY"
        assert answer["strict-transport-security"] == "max-age=31536000"
        assert answer["content-security-policy"].startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in answer["content-security-policy"]

    async def test_an_answer_may_bring_its_own(self) -> None:
        answer = await self.ask(Response(b"", headers={"Referrer-Policy": "origin", "Cache-Control": "public"}))
        assert (answer["referrer-policy"], answer["cache-control"]) == ("origin", "public")

    async def test_on_plain_http_there_is_no_hsts(self) -> None:
        assert (await self.ask(Response(b""), is_secure=False)).get("strict-transport-security") is None

    @pytest.mark.parametrize(("path", "is_stored"), [("/bff/x", False), ("/bff/", False), ("/bffx", True), ("/", True)])
    async def test_our_own_endpoints_are_never_stored(self, path: str, is_stored: bool) -> None:
        answer = await self.ask(Response(b"", headers={"Cache-Control": "public"}), path)
        assert answer["cache-control"] == ("public" if is_stored else "no-store")


class TestAccess:
    async def ask(
        self,
        inner: ASGIApp,
        fields: Fields = (),
        *,
        client: tuple[str, int] | None = ("192.0.2.1", 1),
        trusted: Sequence[Network] = (),
        method: str = "GET",
    ) -> Answer:
        self.lines: list[tuple[object, ...]] = []
        self.observed: list[tuple[object, ...]] = []
        timer = itertools.count(0, 0.5)
        access = Access(
            inner,
            access_log=self,
            observe=lambda *observed: self.observed.append(observed),
            new_request_id=lambda: "the-id",
            timer=lambda: next(timer),
            trusted_proxies=trusted,
        )
        return await call(access, method, "/a%20b?secret=1", fields, client=client)

    def write(self, *line: object) -> None:
        self.lines.append(line)

    async def test_every_answer_has_the_identifier_of_its_line_and_the_line_no_query(self) -> None:
        answer = await self.ask(answering(Response(b"body")))
        assert answer["x-request-id"] == "the-id"
        assert self.lines == [("the-id", "test", "GET", b"/a%20b", 200, 4, 500.0, None, "192.0.2.1", None)]
        assert self.observed == [("test", "GET", 200, 0.5)]

    async def test_the_body_that_head_does_not_send_is_not_counted(self) -> None:
        await self.ask(answering(Response(b"body")), method="HEAD")
        assert [line[5] for line in self.lines] == [0]

    async def test_a_request_that_fails_is_logged_too(self) -> None:
        with pytest.raises(RuntimeError):
            await self.ask(raising(RuntimeError("x")))
        assert [line[4] for line in self.lines] == [0]

    async def test_the_client_is_the_one_our_proxies_name_and_nobody_else(self) -> None:
        fields = [("X-Forwarded-For", "203.0.113.9")]
        ours = [ipaddress.ip_network("192.0.2.0/24")]
        clients = []
        for client, trusted in ((("192.0.2.1", 1), []), (("192.0.2.1", 1), ours), (None, ours)):
            await self.ask(answering(Response(b"")), fields, client=client, trusted=trusted)
            clients += [line[8] for line in self.lines]
        assert clients == ["192.0.2.1", "203.0.113.9", "-"]

    async def test_messages_that_are_no_part_of_the_answer_pass_uncounted(self) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await Response(b"x")(scope, receive, send)

        sent: list[str] = []

        async def early(scope: Scope, receive: Receive, send: Send) -> None:
            async def tapped(message: Message) -> None:
                sent.append(message["type"])
                if message["type"] != "http.response.debug":
                    await send(message)

            async def inner(scope: Scope, receive: Receive, send: Send) -> None:
                await send({"type": "http.response.debug"})
                await app(scope, receive, send)

            await Access(
                inner,
                access_log=self,
                observe=lambda *_: None,
                new_request_id=lambda: "1",
                timer=lambda: 0.0,
                trusted_proxies=(),
            )(scope, receive, tapped)

        self.lines = []
        await call(early, "GET", "/")
        assert sent == ["http.response.debug", "http.response.start", "http.response.body"]
        assert self.lines[0][5] == 1
