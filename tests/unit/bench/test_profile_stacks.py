"""Each sample counts for one part: the kernel, a file of ours, or what runs us."""
# ruff: noqa: E501 -- stacks are long

from __future__ import annotations

from bench.profile_stacks import LOOP, SYSTEM, shares

SAMPLES = """\
<module> (bff/__main__.py:75);run (uvicorn/server.py:70);uv_run (uvloop/loop.so);data_received (bff/proxy/front.py:87);open (bff/session/sealing.py:140);decrypt (cryptography/_rust.abi3.so) 30
<module> (bff/__main__.py:75);uv_run (uvloop/loop.so);data_received (/srv/app/bff/proxy/back.py:9) 10
<module> (bff/__main__.py:75);uv_run (uvloop/loop.so);data_received (bff/proxy/back.py:12);write (libc.so.6) 40
<module> (bff/__main__.py:75);serve (bff/server.py:67);uv_run (uvloop/loop.so);uv__io_poll (uvloop/loop.so) 20
uv_run (uvloop/loop.so);epoll_pwait (libc.so.6) 500
_bootstrap (threading.py:995);poll (libc.so.6) 900
""".splitlines()


def test_a_sample_counts_for_the_innermost_file_of_ours() -> None:
    assert shares(SAMPLES) == {SYSTEM: 0.4, "bff/session/sealing.py": 0.3, LOOP: 0.2, "bff/proxy/back.py": 0.1}


def test_waiting_costs_nothing() -> None:
    assert shares(["poll (libc.so.6) 9", "", "uv_run (loop.so);epoll_wait (libc.so.6) 1"]) == {}
