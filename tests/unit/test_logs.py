"""The log: whole lines in order, nothing of what passes through, whatever libraries and exceptions say."""

from __future__ import annotations

import ast
import asyncio
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.logs import FIELDS, AccessLog, LineWriter, configure_logging, event
from bff.settings import Settings
from tests.unit.settings.environments import loaded

CANARY = "cAnArY-9f27"
NOON = 1767268800.0

LIBRARIES = [
    "httpx2",
    "httpcore2.http11",
    "authlib.oauth2",
    "joserfc",
    "redis",
    "uvicorn.error",
    "asyncio",
    "websockets",
]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Leave the process's logging as it was found."""
    names = ["", "bff", "uvicorn", "uvicorn.error", "uvicorn.access", *LIBRARIES]
    loggers = [logging.getLogger(name) for name in names]
    before = [(each.level, list(each.handlers), each.propagate, each.disabled) for each in loggers]
    yield
    for each, (level, handlers, propagate, disabled) in zip(loggers, before, strict=True):
        each.setLevel(level)
        each.handlers[:] = handlers
        each.propagate, each.disabled = propagate, disabled


def configured(stream: io.StringIO, level: str = "debug", form: str = "json") -> LineWriter:
    settings: Settings = loaded(BFF_LOG_LEVEL=level, BFF_LOG_FORMAT=form)
    return configure_logging(settings, stream)


def records(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def write(log: AccessLog, **changes: Any) -> None:
    """Write the line of a call, some of it changed."""
    call: dict[str, Any] = {
        "request_id": "abc123", "route": "/api", "method": "GET", "path": b"/api/sheets", "status": 200, "sent": 5123,
        "duration_ms": 12.3456, "upstream_ms": 11.0, "client": "192.0.2.7", "code": None,
    }  # fmt: skip
    log.write(**{**call, **changes})


def access_line(form: Literal["json", "text"] = "json", **changes: Any) -> str:
    stream = io.StringIO()
    write(AccessLog(stream, form, lambda: NOON + 0.123), **changes)
    return stream.getvalue()


# --- events ---


def test_an_event_is_one_line_of_json_with_time_level_and_fields() -> None:
    stream = io.StringIO()
    configured(stream)
    event(logging.WARNING, "refresh.failed", reason="token.timeout", attempt=2, seconds=1.5, client=None)
    (record,) = records(stream)
    assert record.pop("time").endswith("Z")
    assert record == {
        "level": "warning", "event": "refresh.failed", "reason": "token.timeout", "attempt": 2, "seconds": 1.5,
    }  # fmt: skip


def test_an_event_as_text_is_one_line_that_people_can_read() -> None:
    stream = io.StringIO()
    configured(stream, form="text")
    event(logging.INFO, "gateway.started", address="127.0.0.1:8080", worker=1, explanation='say "hello"\n')
    assert stream.getvalue().partition(" ")[2] == (
        'info gateway.started address=127.0.0.1:8080 worker=1 explanation="say \\"hello\\"\\n"\n'
    )


def test_a_field_that_is_not_listed_is_named_and_not_shown() -> None:
    stream = io.StringIO()
    configured(stream)
    event(logging.INFO, "login.ended", access_token=CANARY, code_verifier=CANARY, outcome="succeeded")
    (record,) = records(stream)
    assert (record["unlisted"], record["outcome"]) == ("access_token code_verifier", "succeeded")
    assert CANARY not in stream.getvalue()


def test_no_listed_field_is_for_a_secret() -> None:
    assert not {name for name in FIELDS if any(word in name for word in ("token", "cookie", "secret", "key", "query"))}


@pytest.mark.parametrize("form", ["json", "text"])
@given(value=st.text())
def test_no_value_breaks_a_line_or_a_terminal(form: str, value: str) -> None:
    stream = io.StringIO()
    configured(stream, form=form)
    event(logging.INFO, "some.event", reason=value)
    line = stream.getvalue()
    assert line.endswith("\n")
    assert line[:-1].isascii()
    assert line[:-1].isprintable()


def test_a_very_long_value_is_cut() -> None:
    stream = io.StringIO()
    configured(stream)
    event(logging.INFO, "some.event", reason="x" * 10_000)
    assert len(stream.getvalue()) < 1000


def test_events_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    configured(stream, level="warning")
    event(logging.INFO, "some.event")
    event(logging.WARNING, "other.event")
    assert [record["event"] for record in records(stream)] == ["other.event"]


def test_configuring_twice_does_not_write_twice() -> None:
    first, second = io.StringIO(), io.StringIO()
    configured(first)
    configured(second)
    event(logging.INFO, "some.event")
    logging.getLogger("elsewhere").warning("x")
    assert (first.getvalue(), len(records(second))) == ("", 2)


def test_every_field_that_the_code_gives_an_event_is_listed() -> None:
    calls = [
        call
        for path in (Path(__file__).parents[2] / "bff").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if "demo" not in path.parts
        and isinstance(call, ast.Call)
        and ast.unparse(call.func).endswith(("event", "_on_event"))
    ]
    given = {keyword.arg for call in calls for keyword in call.keywords}
    assert {"reason", "code"} <= given <= FIELDS


# --- what libraries and exceptions say ---


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("name", [*LIBRARIES, "uvicorn.access", "elsewhere"])
def test_no_library_gets_a_message_into_the_log_at_any_level(name: str, form: str) -> None:
    stream = io.StringIO()
    configured(stream, form=form)
    logger = logging.getLogger(name)
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        logger.log(level, "GET https://id.example/token?code=%s", CANARY)
        logger.log(level, f"verifier {CANARY}")  # noqa: G004
        logger.log(level, "%(token)s", {"token": CANARY})
    assert CANARY not in stream.getvalue()
    assert "GET" not in stream.getvalue()


def test_a_librarys_warning_is_told_by_logger_and_place() -> None:
    stream = io.StringIO()
    configured(stream)
    logging.getLogger("redis").info("connected")
    logging.getLogger("redis").warning("lost %s", "redis://:password@host")
    (record,) = records(stream)
    assert (record["event"], record["logger"], record["level"]) == ("library", "redis", "warning")
    assert record["at"].startswith("test_logs.test_a_librarys_warning")


def test_the_servers_own_access_log_is_silent() -> None:
    stream = io.StringIO()
    configured(stream)
    logging.getLogger("uvicorn.access").critical('"GET /bff/callback?code=%s"', CANARY)
    assert stream.getvalue() == ""


def test_an_exception_is_told_by_types_and_places_and_not_by_its_text() -> None:
    stream = io.StringIO()
    configured(stream)

    def redeem(code: str) -> None:
        try:
            raise ValueError(f"bad code {code}")
        except ValueError as error:
            raise RuntimeError(f"login with {code} failed") from error

    with pytest.raises(RuntimeError) as raised:
        redeem(CANARY)
    logging.getLogger("bff.proxy").error("proxy.internal_error", exc_info=raised.value)
    logging.getLogger("asyncio").error(f"Task <Task result={CANARY}>", exc_info=raised.value)  # noqa: G004
    ours, theirs = records(stream)
    assert ours["event"] == "proxy.internal_error"
    assert ours["error"] == theirs["error"] == "RuntimeError < ValueError"
    assert ours["trace"][-1].split(":")[0].endswith("test_logs.redeem")
    assert CANARY not in stream.getvalue()


def test_an_exception_as_text_is_one_line_too() -> None:
    stream = io.StringIO()
    configured(stream, form="text")
    with pytest.raises(ZeroDivisionError) as raised:
        divmod(1, 0)
    logging.getLogger("bff").error("some.event", exc_info=raised.value)
    (line,) = stream.getvalue().splitlines()
    assert line.partition(" ")[2].startswith("error some.event error=ZeroDivisionError trace=tests.unit.test_logs.")


def test_a_suppressed_cause_is_not_told_and_a_cycle_of_causes_ends() -> None:
    stream = io.StringIO()
    configured(stream)
    suppressed = RuntimeError()
    suppressed.__context__ = ValueError()
    suppressed.__suppress_context__ = True
    first, second = KeyError(), IndexError()
    first.__cause__, second.__cause__ = second, first
    for error in (suppressed, first):
        logging.getLogger("bff").error("some.event", exc_info=error)
    assert [record["error"] for record in records(stream)] == [
        *("RuntimeError", "KeyError < IndexError < KeyError < IndexError < KeyError"),
    ]


def test_our_own_records_do_not_fill_in_arguments() -> None:
    stream = io.StringIO()
    configured(stream)
    logging.getLogger("bff.anything").warning("some.event %s", CANARY)
    assert records(stream)[0]["event"] == "some.event %s"


def test_a_record_that_cannot_be_formatted_does_not_fail_its_caller() -> None:
    stream = io.StringIO()
    configured(stream)
    _raise = logging.getLogger("bff").makeRecord("bff", logging.INFO, "f", 1, "m", (), None)
    _raise.created = float("nan")
    logging.getLogger("bff").handle(_raise)
    assert records(stream) == [{}]


# --- access lines ---


def test_an_access_line_has_what_there_is_to_know_of_a_call() -> None:
    assert json.loads(access_line()) == {
        "time": "2026-01-01T12:00:00.123Z", "level": "info", "event": "request", "method": "GET", "route": "/api",
        "path": "/api/sheets", "status": 200, "bytes": 5123, "duration_ms": 12.346, "upstream_ms": 11.0,
        "client": "192.0.2.7", "request_id": "abc123",
    }  # fmt: skip


def test_an_access_line_of_a_refused_call_has_the_code_and_no_upstream() -> None:
    record = json.loads(access_line(status=401, upstream_ms=None, code="no_session"))
    assert record["code"] == "no_session"
    assert "upstream_ms" not in record


def test_an_access_line_as_text() -> None:
    assert access_line("text", code="upstream_timeout") == (
        "2026-01-01T12:00:00.123Z info request method=GET route=/api path=/api/sheets status=200 bytes=5123"
        " duration_ms=12.346 upstream_ms=11.000 client=192.0.2.7 request_id=abc123 code=upstream_timeout\n"
    )


@pytest.mark.parametrize("form", ["json", "text"])
@given(path=st.binary(), client=st.text(), request_id=st.text(), method=st.text(), route=st.text())
def test_nothing_in_a_request_breaks_its_line(
    form: Literal["json", "text"], path: bytes, client: str, request_id: str, method: str, route: str
) -> None:
    line = access_line(form, path=path, client=client, request_id=request_id, method=method, route=route)
    assert line.endswith("\n")
    assert line[:-1].isascii()
    assert line[:-1].isprintable()
    if form == "json":
        assert json.loads(line)["status"] == 200


@pytest.mark.parametrize(
    "path, shown",
    [
        (b"/api/%0d%0aset", "/api/%0d%0aset"),
        (b'/api/"x"', '/api/"x"'),
        (b"/api/\\x", "/api/\\x"),
        (b"/api/\r\n\x1b[31m", "/api/\r\n\x1b[31m"),
        ("/api/é".encode(), "/api/é"),
        (b"/api/\xff", "/api/\\xff"),
        ("/api/é", "/api/é"),
        ("/api/\udcff", "/api/\\xed\\xb3\\xbf"),
    ],
)
def test_a_paths_odd_characters_are_escaped_and_kept(path: bytes | str, shown: str) -> None:
    assert json.loads(access_line(path=path))["path"] == shown


def test_a_very_long_path_is_cut() -> None:
    assert len(access_line(path=b"/" + b"a" * 100_000)) < 3000


def test_the_time_of_a_line_follows_the_clock() -> None:
    stream, now = io.StringIO(), NOON
    log = AccessLog(stream, "json", lambda: now)
    for now in (NOON, NOON + 0.9999, NOON + 61.5):  # noqa: B007 -- the clock reads it
        write(log)
    assert [record["time"][11:] for record in records(stream)] == ["12:00:00.000Z", "12:00:00.999Z", "12:01:01.500Z"]


def test_what_is_remembered_of_clients_and_routes_is_bounded_and_right() -> None:
    stream = io.StringIO()
    log = AccessLog(stream, "json", lambda: NOON)
    for number in range(10_000):
        write(log, client=f"client-{number}", route=f"/{number}", method="GET")
    write(log, client="client-1", route="/9999")
    assert [(record["client"], record["route"]) for record in records(stream)] == [
        *((f"client-{number}", f"/{number}") for number in range(10_000)),
        ("client-1", "/9999"),
    ]
    assert max(len(log._clients), len(log._calls)) <= 4096


def test_requests_are_not_logged_where_the_level_leaves_them_out() -> None:
    stream = io.StringIO()
    write(AccessLog(configured(stream, level="warning"), "json", lambda: NOON))
    assert stream.getvalue() == ""
    write(AccessLog(configured(stream, level="info"), "json", lambda: NOON))
    assert len(records(stream)) == 1


# --- order and batches ---


class Watched(io.StringIO):
    """A stream that tells when something was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = asyncio.Event()

    def flush(self) -> None:
        self.written.set()


async def test_lines_wait_for_each_other_and_are_written_by_themselves_soon() -> None:
    stream = Watched()
    log = AccessLog(stream, "json", lambda: NOON)
    for expected in (2, 4):
        write(log)
        write(log)
        assert len(records(stream)) == expected - 2
        await asyncio.wait_for(stream.written.wait(), 5)
        assert len(records(stream)) == expected
        stream.written.clear()


async def test_many_lines_do_not_wait() -> None:
    stream = io.StringIO()
    log = AccessLog(stream, "json", lambda: NOON)
    for _ in range(64):
        write(log)
    assert len(records(stream)) == 64


async def test_an_event_comes_after_the_requests_before_it() -> None:
    stream = io.StringIO()
    log = AccessLog(configured(stream), "json", lambda: NOON)
    write(log, request_id="a")
    event(logging.WARNING, "store.lost")
    write(log, request_id="b")
    log.flush()
    assert [record.get("request_id", record["event"]) for record in records(stream)] == ["a", "store.lost", "b"]


async def test_nothing_is_left_after_a_flush_and_nothing_is_written_twice() -> None:
    stream = io.StringIO()
    log = AccessLog(stream, "json", lambda: NOON)
    write(log)
    log.flush()
    log.flush()
    await asyncio.sleep(0.3)
    assert len(records(stream)) == 1


def test_outside_an_event_loop_lines_are_written_at_once() -> None:
    assert access_line()


@pytest.mark.parametrize("failure", [BrokenPipeError(), OSError(28, "No space left on device"), ValueError("closed")])
def test_a_log_that_cannot_be_written_fails_no_request(failure: Exception) -> None:
    class Broken(io.StringIO):
        def write(self, _: str) -> int:
            raise failure

    write(AccessLog(Broken(), "json", lambda: NOON))
    configured(Broken())
    event(logging.ERROR, "some.event")
