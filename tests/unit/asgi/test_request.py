from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message

from bff.asgi.paths import login_link, resume_link
from bff.asgi.request import BODY_TIMEOUT, Notes, Request, attach_notes
from bff.errors import BadRequest, BodyTooLarge
from tests.support.virtual_time import virtual_time


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


def request_of(*fields: tuple[bytes, bytes], messages: list[Message] | None = None, method: str = "GET") -> Request:
    async def receive() -> Message:
        if not messages:
            await asyncio.sleep(10 * BODY_TIMEOUT)
            return {"type": "http.disconnect"}
        return messages.pop(0)

    scope: dict[str, Any] = {"method": method, "raw_path": b"/%41", "query_string": b"a=%41", "headers": list(fields)}
    attach_notes(scope, Notes("id", "client"))
    return Request(scope, receive)


FORM = (b"content-type", b"application/x-www-form-urlencoded")


def chunk(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def test_path_and_query_stay_as_they_were_sent() -> None:
    request = request_of()
    assert (request.path, request.query) == (b"/%41", b"a=%41")


def test_a_field_sent_twice_equals_none_of_its_values() -> None:
    request = request_of((b"origin", b"a"), (b"x", b"y"), (b"origin", b"a"))
    assert request.all(b"origin") == [b"a", b"a"]
    assert request.single(b"origin") == b"a, a"
    assert request.single(b"x") == b"y"
    assert request.single(b"z") is None


def test_cookies_of_all_fields_are_read_in_order_with_duplicates() -> None:
    request = request_of((b"cookie", b"a=1; b=2"), (b"cookie", b"a=3"))
    assert request.cookie("a") == [b"1", b"3"]
    assert request.cookies == [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]


def test_fetch_metadata_tells_a_navigation_or_else_what_is_accepted() -> None:
    assert request_of((b"sec-fetch-mode", b"navigate")).is_navigation
    assert not request_of((b"sec-fetch-mode", b"cors"), (b"accept", b"text/html")).is_navigation
    assert request_of((b"accept", b"text/html")).is_navigation
    assert not request_of().is_navigation


async def test_a_form_is_read_up_to_its_limit() -> None:
    messages = [chunk(b"a=", more=True), chunk(b"b", more=False)]
    assert await request_of(FORM, messages=messages).form_body(3) == b"a=b"
    with pytest.raises(BodyTooLarge):
        await request_of(FORM, messages=[chunk(b"a=", more=True), chunk(b"bc", more=True)]).form_body(3)


async def test_a_form_of_another_media_type_is_refused_unread() -> None:
    with pytest.raises(BadRequest, match="media_type"):
        await request_of((b"content-type", b"text/plain")).form_body(10)
    with pytest.raises(BadRequest, match="media_type"):
        await request_of(FORM, FORM).form_body(10)


async def test_a_form_that_breaks_off_or_never_arrives_is_refused() -> None:
    with pytest.raises(BadRequest, match="incomplete"):
        await request_of(FORM, messages=[chunk(b"a", more=True), {"type": "http.disconnect"}]).form_body(10)
    with pytest.raises(BadRequest, match="timeout"):
        await request_of(FORM, messages=[chunk(b"a", more=True)]).form_body(10)


def test_links_carry_where_to_return_to_as_one_parameter() -> None:
    assert login_link() == "/bff/login"
    assert login_link("/a?b=c&d=e#f") == "/bff/login?return_to=/a%3Fb%3Dc%26d%3De%23f"
    assert resume_link("/a") == "/bff/login/resume?return_to=/a"
