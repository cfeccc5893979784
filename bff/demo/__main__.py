"""`python -m bff.demo`: everything on this machine, until Ctrl-C."""

import argparse
import signal
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

from bff.demo.check import CheckError, run_check
from bff.demo.child import ChildError
from bff.demo.stack import Ports, Stack
from bff.demo.users import USERS

WATCH_INTERVAL = 0.5


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration; the exit status is 0 when it was stopped or the check passed, else 1."""
    options = parse_options(arguments)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    with ExitStack() as cleanup:
        directory = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="bff-demo-")))
        ports = Ports(options.gateway_port, options.provider_port, options.api_port)
        stack = Stack(ports, directory, options.redis_url, stopping)
        cleanup.callback(stack.stop)
        try:
            print("Starting ...", flush=True)
            stack.start()
            if stopping.is_set():
                return 0
            if options.check:
                run_check(stack.gateway_url, report=lambda line: print(line, flush=True))
                return 0
            print(welcome(stack), flush=True)
            while not stopping.wait(WATCH_INTERVAL):
                stack.check_alive()
            print("\nStopping ...", flush=True)
        except (ChildError, CheckError) as fault:
            if stopping.is_set():
                return 0
            print(f"\n{fault}", file=sys.stderr)
            if isinstance(fault, CheckError):
                print(f"\nThe gateway's output:\n{stack.gateway.output_end()}", file=sys.stderr)
            return 1
    return 0


def welcome(stack: Stack) -> str:
    """What to open, as whom to log in, what runs where."""
    people = "\n".join(f"      {user.username:<7}{user.summary}" for user in USERS.values())
    return f"""
  Open {stack.gateway_url}

  Log in as one of these; there are no passwords:
{people}

  What runs where:
      gateway         {stack.gateway_url}
      provider        {stack.issuer}
      timesheets API  {stack.api_url}
      sessions        {stack.store_description}
      output          {stack.directory}

  Ctrl-C stops everything.
"""


def parse_options(arguments: list[str] | None) -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(prog="python -m bff.demo", description=__doc__)
    add = parser.add_argument
    add("--gateway-port", type=int, default=8000, help="preferred; another one if it is taken")
    add("--provider-port", type=int, default=9000, help="preferred; another one if it is taken")
    add("--api-port", type=int, default=9001, help="preferred; another one if it is taken")
    add("--redis-url", help="keep the sessions there instead of in an embedded Valkey")
    add("--check", action="store_true", help="log in, call the API, log out, say what happened, exit")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
