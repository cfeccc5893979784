"""Where the time of a call goes: the gateway under load, sampled by py-spy."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from subprocess import DEVNULL

from bench.cores import Cores, running_on
from bench.options import Options
from bench.profile_stacks import shares
from bench.rounds import check, measured
from bench.section import Section
from bench.stage import Missing, Stage, first_line
from bench.table import markdown
from bench.targets import gateway

NAME = "profile"
CONNECTIONS = 32
PER_SECOND = 250
LEAST_SHOWN = 0.005


def run(options: Options, cores: Cores, say: Callable[..., None]) -> Section:
    """Sample small calls; raises `Missing` without py-spy."""
    program = shutil.which(options.py_spy)
    if program is None:
        raise Missing("py-spy is not installed (name it with --py-spy)")
    with Stage(options, cores) as stage:
        target = gateway.start(stage)
        check(target)
        measured(stage, target, CONNECTIONS, seconds=1)
        raw, seconds = stage.directory / "stacks", max(2, round(options.duration * options.rounds))
        command = [program, "record", "--native", "--format", "raw", "--output", str(raw), "--rate", str(PER_SECOND)]
        command += ["--duration", str(seconds), "--pid", str(target.child.process.pid)]
        with running_on(stage.cores.load), subprocess.Popen(command, stdout=DEVNULL, stderr=DEVNULL) as sampler:
            # The load lasts longer than the sampling: nothing idle is sampled.
            measured(stage, target, CONNECTIONS, seconds=seconds + 3)
            if sampler.wait(60) != 0:
                raise Missing("py-spy may not look into other processes here")
        parts = shares(raw.read_text().splitlines())
    shown = [[part, f"{share:.1%}"] for part, share in parts.items() if share >= LEAST_SHOWN]
    rest = sum(share for share in parts.values() if share < LEAST_SHOWN)
    table = markdown(["", "of the CPU time"], [*shown, ["all others", f"{rest:.1%}"]])
    return Section(NAME, "Where the time goes", table, {"py_spy": first_line([program, "--version"]), "shares": parts})
