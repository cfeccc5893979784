"""python -m tests.certification --suite https://localhost:8443 [--plan basic] [--module NAME] [--report FILE]

Exit status 0 when no module failed, 1 when one failed or was left waiting, 2 when the suite cannot be used.
The suite runs on this machine and is not part of the project; an nginx beside it puts TLS in front of the
gateway (https://127.0.0.1:9643 to port 9601). Every module gets a gateway process of its own.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import tempfile
from pathlib import Path

from . import report
from .credentials import make_credentials
from .plans import PLANS
from .run import Circumstances, Outcome, run_plan
from .suite import Suite, SuiteError, fetch_certificate, trust_in


def main() -> int:
    options = _parse_options()
    work_directory = Path(tempfile.mkdtemp(prefix="bff-certification-"))
    try:
        ca_file = options.ca_file
        if ca_file is None:
            ca_file = work_directory / "suite.pem"
            ca_file.write_text(fetch_certificate(options.suite))
        circumstances = Circumstances(
            public_url=options.gateway.rstrip("/"),
            port=options.port,
            ca_file=ca_file,
            work_directory=work_directory,
            command=options.command,
            redis_url=options.redis_url,
            workers=options.workers,
            credentials=make_credentials(work_directory / "credentials"),
        )
        with Suite(options.suite, trust_in(ca_file)) as suite:
            version = suite.version()
            print(f"Suite {version} at {options.suite}; the gateways' logs are in {work_directory}")
            outcomes = _run(suite, circumstances, options)
    except SuiteError as error:
        print(error, file=sys.stderr)
        return 2
    print(report.summary(outcomes))
    if options.report is not None:
        today = dt.datetime.now(dt.UTC).date()
        options.report.write_text(report.markdown(outcomes, suite_version=version, day=today))
    return 1 if not outcomes or any(outcome.verdict == "failed" for outcome in outcomes) else 0


def _run(suite: Suite, circumstances: Circumstances, options: argparse.Namespace) -> list[Outcome]:
    outcomes = []
    for plan in PLANS:
        wanted = not options.module or plan.modules.keys() & options.module
        if (options.plan and plan.key not in options.plan) or not wanted:
            continue
        print(f"\n{plan.title} ({plan.name})")
        for outcome in run_plan(suite, plan, circumstances, frozenset(options.module or ())):
            print(report.line(outcome), flush=True)
            if outcome.verdict != "ok" or options.verbose:
                print("\n".join(report.details(outcome)), flush=True)
            outcomes.append(outcome)
    print()
    return outcomes


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.certification",
        description="Runs the gateway against the OpenID Foundation's conformance suite.",
    )
    parser.add_argument("--suite", default="https://localhost:8443", help="where the suite runs")
    parser.add_argument("--ca-file", type=Path, help="its certificate (default: the one it presents)")
    parser.add_argument("--plan", action="append", nargs="+", choices=[plan.key for plan in PLANS])
    parser.add_argument("--module", action="append", help="only this module; may be repeated")
    parser.add_argument("--gateway", default="https://127.0.0.1:9643", help="the gateway's public URL")
    parser.add_argument("--port", type=int, default=9601, help="where the gateway listens behind that URL")
    parser.add_argument("--command", help="starts the gateway (default: this Python's `-m bff serve`)")
    parser.add_argument("--redis-url", help="keep sessions there instead of in the gateway's memory")
    parser.add_argument("--workers", type=int, default=1, help="gateway processes for each module, with --redis-url")
    parser.add_argument("--report", type=Path, help="write the outcome to this Markdown file")
    parser.add_argument("--verbose", action="store_true", help="show the requests of every module")
    options = parser.parse_args()
    options.plan = [key for keys in options.plan or () for key in keys]
    chosen = [plan for plan in PLANS if not options.plan or plan.key in options.plan]
    if options.workers > 1 and options.redis_url is None:
        parser.error("--workers needs --redis-url: sessions in memory belong to one process")
    unknown = set(options.module or ()).difference(*(plan.modules for plan in chosen))
    if unknown:
        parser.error(f"no such module in these plans: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
