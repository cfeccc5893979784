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
    lines = [
        "# OpenID certification tests",
        "",
        "The OpenID Foundation's conformance suite plays an OpenID Provider and judges what the gateway does",
        "with its answers, the malicious ones included. Each module has a gateway process of its own that is",
        "configured by its environment alone and used with a browser's cookies and Fetch Metadata.",
        "",
        f"Suite version {suite_version}; run on {day.isoformat()}. To repeat it with a suite at hand:",
        "",
        "    python -m tests.certification --suite https://localhost:8443 --report docs/certification.md",
        "",
        f"{summary(outcomes)}.",
    ]
    for plan in dict.fromkeys(outcome.plan.key for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.plan.key == plan]
        lines += [
            "",
            f"## {own[0].plan.title}",
            "",
            f"Plan `{own[0].plan.name}`.",
            "",
            "| module | result | the gateway |",
            "|---|---|---|",
        ]
        lines += [
            f"| `{outcome.module}` | {result(outcome)} | {outcome.problem or outcome.behaviour} |" for outcome in own
        ]
    skipped = [outcome for outcome in outcomes if outcome.result == outcome.expected == "SKIPPED"]
    if skipped:
        lines += [
            "",
            "SKIPPED is the suite's word for a client that refuses unsigned ID tokens. OpenID Connect permits",
            "it, and the gateway always does it.",
        ]
    return "\n".join(lines) + "\n"


def result(outcome: Outcome) -> str:
    text = outcome.result if outcome.status == "FINISHED" else outcome.status
    return text if outcome.verdict == "ok" else f"**{text}** ({outcome.verdict})"
