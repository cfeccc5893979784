"""Few stored sessions or a million: each variant has a store of its own, the calls go round through many sessions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from bench.cores import Cores
from bench.options import Options
from bench.scenarios import variants
from bench.section import Section
from bench.stage import Stage
from bench.targets import gateway
from bench.targets.target import Target

NAME = "sessions"
MOST_IN_USE = 10_000

_SCRIPT = """\
local requests, at = {{}}, 0
function init(arguments)
  for cookie in io.lines("{cookies}") do
    wrk.headers["Cookie"] = cookie
    requests[#requests + 1] = wrk.format("GET", "/api/small")
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
"""


def run(options: Options, cores: Cores, say: Callable[..., None]) -> Section:
    """Measure the gateway with each number of stored sessions."""
    with Stage(options, cores) as stage:
        rows = variants.compare(stage, [_start(stage, count, say) for count in options.sessions], say)
    return Section(NAME, "Number of stored sessions", variants.table_of(rows), variants.data_of(rows))


def _start(stage: Stage, count: int, say: Callable[..., None]) -> Target:
    say(f"  writing {count:,} sessions")
    name = f"{count:,} session{'s' if count > 1 else ''}"
    store = f"redis://127.0.0.1:{stage.start_store(f'store-{count}')}"
    target = gateway.start(stage, name=name, sessions=count, shown=min(count, MOST_IN_USE), BFF_REDIS_URL=store)
    return dataclasses.replace(target, script=_script(stage, count, target.cookies))


def _script(stage: Stage, count: int, cookies: tuple[str, ...]) -> Path:
    folder = stage.folder(f"cookies-{count}")
    (folder / "cookies").write_text("\n".join(cookies) + "\n")
    script = folder / "script.lua"
    script.write_text(_SCRIPT.format(cookies=folder / "cookies"))
    return script
