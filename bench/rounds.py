"""Runs interleaved: each target has its short turn, then the next, and all again, so that noise is shared out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import httpx2

from bench.cores import running_on
from bench.load import Outcome, run_wrk
from bench.process_tree import cpu_seconds
from bench.stage import Stage
from bench.summary import Sample
from bench.targets.target import Target

WARM_UP = 1.0
READY_TIMEOUT = 20.0


class Unusable(Exception):
    """A target does not do what is to be measured; the message says what it did instead."""


def check(target: Target) -> None:
    """Raise `Unusable` unless a call with the session is answered and the upstream gets an access token."""
    headers = dict(header.split(": ", 1) for header in target.headers)
    with httpx2.Client(trust_env=False, timeout=5.0) as client:
        deadline = time.monotonic() + READY_TIMEOUT
        while True:
            try:
                answer = client.get(target.url, headers=headers)
                break
            except httpx2.TransportError as error:
                if time.monotonic() > deadline:
                    raise Unusable(f"{target.name} does not answer: {type(error).__name__}") from None
                time.sleep(0.05)
        if answer.status_code != httpx2.codes.OK or not answer.text.startswith('{"id":1'):
            raise Unusable(f"{target.name} answered {answer.status_code}: {answer.text[:200]}")
        if not target.token_reaches_upstream:
            return
        seen = client.get(target.url.replace("/small", "/credentials"), headers=headers).text
        authorization, _, forwarded = seen.partition("|")
        if not authorization.startswith("Bearer ey") and not forwarded.startswith("ey"):
            raise Unusable(f"{target.name} passes no access token on")
    # A client of its own: the first may have been given a cookie.
    if httpx2.get(target.url, trust_env=False).text.startswith('{"id":1'):
        raise Unusable(f"{target.name} serves calls without a session")


def interleave(
    stage: Stage, targets: Sequence[Target], connections: int, *, report: Callable[[str], None]
) -> dict[str, list[Sample]]:
    """Return the samples of each target."""
    options = stage.options
    samples: dict[str, list[Sample]] = {target.name: [] for target in targets}
    for target in targets:
        measured(stage, target, connections, seconds=WARM_UP)
    for number in range(options.rounds):
        for target in targets:
            sample = sample_of(number, *measured(stage, target, connections, seconds=options.duration))
            samples[target.name].append(sample)
            report(
                f"  {connections:4d} connections, round {number + 1}: {target.name:24s}"
                f"{sample.calls_per_second:10,.0f} calls/s {sample.cpu:8.1f} µs/call"
            )
    return samples


def measured(stage: Stage, target: Target, connections: int, *, seconds: float) -> tuple[Outcome, float]:
    """Return what wrk saw, and the processor seconds of the target's process tree meanwhile."""
    stage.empty_logs()
    before = cpu_seconds(target.child.process.pid)
    with running_on(stage.cores.load):
        outcome = run_wrk(target.url, target.headers, connections=connections, seconds=seconds, script=target.script)
    return outcome, cpu_seconds(target.child.process.pid) - before


def sample_of(number: int, outcome: Outcome, cpu: float) -> Sample:
    """Return the run as a sample."""
    return Sample(
        round=number,
        calls=outcome.calls,
        calls_per_second=outcome.calls_per_second,
        cpu=cpu / outcome.calls * 1e6 if outcome.calls else 0.0,
        p50=outcome.p50 * 1e3,
        p99=outcome.p99 * 1e3,
        errors=outcome.errors,
    )
