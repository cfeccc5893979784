"""Few routes or many: the way to a route must not depend on how many there are."""

from __future__ import annotations

import json
from collections.abc import Callable

from bench.cores import Cores
from bench.options import Options
from bench.scenarios import variants
from bench.section import Section
from bench.stage import Stage
from bench.targets import gateway

NAME = "routes"


def run(options: Options, cores: Cores, say: Callable[..., None]) -> Section:
    """Measure the gateway with each number of routes; the one called is the last that is configured."""
    with Stage(options, cores) as stage:
        targets = [
            gateway.start(
                stage, name=f"{count:,} route{'s' if count > 1 else ''}", BFF_ROUTES=_others(stage, count - 1)
            )
            for count in options.routes
        ]
        rows = variants.compare(stage, targets, say)
    return Section(NAME, "Number of routes", variants.table_of(rows), variants.data_of(rows))


def _others(stage: Stage, count: int) -> str:
    upstream = stage.upstream_url
    return json.dumps([{"prefix": f"/services/number-{at}/api", "upstream": upstream} for at in range(count)])
