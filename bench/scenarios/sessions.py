"""Few stored sessions or a million: each variant has a store of its own, the calls go round through many sessions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import redis

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
        variants_and_sizes = [_start(stage, count, say) for count in options.sessions]
        rows = variants.compare(stage, [target for target, _ in variants_and_sizes], say)
    sizes = [size for _, size in variants_and_sizes]
    stored = f"Redis memory for each of {options.sessions[-1]:,}: {sizes[-1] / 1024:.1f} KiB"
    return Section(
        NAME,
        "Number of stored sessions",
        f"{variants.table_of(rows)}\n\n{stored}",
        {**variants.data_of(rows), "store_bytes_per_session": sizes},
    )


def _start(stage: Stage, count: int, say: Callable[..., None]) -> tuple[Target, float]:
    """Return the gateway, and the bytes of memory its store took for each session."""
    say(f"  writing {count:,} sessions")
    name = f"{count:,} session{'s' if count > 1 else ''}"
    port = stage.start_store(f"store-{count}")
    with redis.Redis(port=port) as store:
        before = store.info("memory")["used_memory"]
        target = gateway.start(
            stage,
            name=name,
            sessions=count,
            shown=min(count, MOST_IN_USE),
            BFF_REDIS_URL=f"redis://127.0.0.1:{port}",
        )
        size = (store.info("memory")["used_memory"] - before) / count
    return dataclasses.replace(target, script=_script(stage, count, target.cookies)), size


def _script(stage: Stage, count: int, cookies: tuple[str, ...]) -> Path:
    folder = stage.folder(f"cookies-{count}")
    (folder / "cookies").write_text("\n".join(cookies) + "\n")
    script = folder / "script.lua"
    script.write_text(_SCRIPT.format(cookies=folder / "cookies"))
    return script
