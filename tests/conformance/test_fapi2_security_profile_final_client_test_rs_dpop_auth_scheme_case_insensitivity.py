"""An API's demand for a nonce is understood in whatever case it writes the scheme."""

import pytest

from tests.support.dpop_verifier import DpopVerifier
from tests.support.fake_transports import turns
from tests.support.proxy_bench import signed_in
from tests.unit.proxy.test_bound_token import OK, bound_bench, call, demand, verify


@pytest.mark.parametrize("scheme", [b"DPoP", b"dpop", b"DPOP", b"dPoP"])
async def test_rs_dpop_auth_scheme_case_insensitivity(scheme: bytes) -> None:
    bench, server = bound_bench(), DpopVerifier()
    browser = bench.browser()
    upstream = await call(bench, browser, signed_in(b"GET", b"/api/x"))
    verify(server, upstream.take_written())
    upstream.receive(demand(challenge=scheme + b' error="use_dpop_nonce"'))
    await turns()
    verify(server, upstream.take_written(), nonce="nonce-1")
    upstream.receive(OK)
    await turns()
    assert browser.take_written().startswith(b"HTTP/1.1 200 OK\r\n")
