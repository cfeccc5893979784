"""The outcome of a run, as lines for a terminal and as a Markdown page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from .run import Outcome


def line(outcome: Outcome) -> str:
    said = outcome.problem or outcome.behaviour
    result = outcome.result if outcome.status == "FINISHED" else f"{outcome.status} {outcome.result}"
    return f"{outcome.verdict:10} {result:8} {outcome.seconds:5.1f} s  {outcome.module}: {said}"


def details(outcome: Outcome) -> Iterable[str]:
    """What someone needs who has to find out why."""
    if outcome.verdict == "unexpected":
        yield f"    expected {outcome.expected}"
    for finding in outcome.findings:
        yield f"    {finding.result} {finding.source}: {finding.message} {' '.join(finding.requirements)}"
    yield f"    requests: {', '.join(outcome.requests) or 'none'}"
    yield f"    suite's log: {outcome.log_url}"
    yield f"    gateway's log: {outcome.gateway_log}"


def summary(outcomes: Sequence[Outcome]) -> str:
    counts = {
        verdict: sum(outcome.verdict == verdict for outcome in outcomes) for verdict in ("ok", "unexpected", "failed")
    }
    return f"{len(outcomes)} modules: " + ", ".join(f"{number} {name}" for name, number in counts.items())


def markdown(outcomes: Sequence[Outcome], *, suite_version: str, day: dt.date) -> str:
    """A page for the project's documentation."""
    plans = {
        key: [outcome for outcome in outcomes if outcome.plan.key == key]
        for key in dict.fromkeys(outcome.plan.key for outcome in outcomes)
    }
    lines = [*_introduction(outcomes, suite_version, day), "", *_overview(plans.values())]
    for own in plans.values():
        lines += ["", *_modules(own)]
    if any(outcome.result == outcome.expected == "SKIPPED" for outcome in outcomes):
        lines += [
            "",
            "SKIPPED is the suite's word for a client that refuses unsigned ID tokens. OpenID Connect permits",
            "it, and the gateway always does it.",
        ]
    return "\n".join(lines) + "\n"


def _introduction(outcomes: Sequence[Outcome], suite_version: str, day: dt.date) -> list[str]:
    return [
        "# OpenID certification tests",
        "",
        "The OpenID Foundation's conformance suite plays an OpenID Provider or an authorization server and judges",
        "what the gateway does with its answers, the malicious ones included. Each module has a gateway process of",
        "its own that is configured by its environment alone and used with a browser's cookies and Fetch Metadata.",
        "",
        f"Suite version {suite_version}; run on {day.isoformat()}. To repeat it with a suite at hand, whose TLS offers",
        "version 1.3:",
        "",
        "    python -m tests.certification --suite https://localhost:8443 --report docs/certification.md",
        "",
        "With `--redis-url redis://localhost:6379 --workers 2` each module's gateway is two processes that share their",
        "sessions.",
        "",
        f"{summary(outcomes)}.",
    ]


def _overview(plans: Iterable[Sequence[Outcome]]) -> list[str]:
    lines = ["| plan | modules | passed | skipped | otherwise |", "|---|---|---|---|---|"]
    for own in plans:
        passed = sum(outcome.result == "PASSED" and outcome.verdict == "ok" for outcome in own)
        skipped = sum(outcome.result == "SKIPPED" and outcome.verdict == "ok" for outcome in own)
        otherwise = len(own) - passed - skipped
        lines.append(f"| {own[0].plan.title} | {len(own)} | {passed} | {skipped} | {otherwise} |")
    return lines


def _modules(own: Sequence[Outcome]) -> list[str]:
    plan = own[0].plan
    return [
        f"## {plan.title}",
        "",
        f"Plan `{plan.name}`.",
        "",
        "| module | result | the gateway |",
        "|---|---|---|",
        *(f"| `{outcome.module}` | {result(outcome)} | {outcome.problem or outcome.behaviour} |" for outcome in own),
    ]


def result(outcome: Outcome) -> str:
    text = outcome.result if outcome.status == "FINISHED" else outcome.status
    return text if outcome.verdict == "ok" else f"**{text}** ({outcome.verdict})"
