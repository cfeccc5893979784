"""The command line's options."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ALL = ("all",)
ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to measure and how; times are in seconds, sizes in bytes, empty `targets` means all there are."""

    scenarios: tuple[str, ...] = ("small-calls",)
    connections: tuple[int, ...] = (32, 256)
    ladder: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
    routes: tuple[int, ...] = (1, 200)
    sessions: tuple[int, ...] = (1, 1_000_000)
    workers: tuple[int, ...] = (1, 2)
    calls: int = 1_000_000
    transfer: int = 2**30
    streams: int = 5000
    duration: float = 4.0
    rounds: int = 3
    body_size: int = 120
    record_size: int = 4096
    priority: int = 0
    realtime: bool = False
    targets: tuple[str, ...] = ()
    gateway: Path = ROOT
    compare: tuple[tuple[str, Path], ...] = ()
    oauth2_proxy: str = "oauth2-proxy"
    apache_modules: Path = Path("/usr/lib/apache2/modules")
    nginx_modules: Path = Path("/usr/lib/nginx/modules")
    lua_path: Path | None = None
    express_path: Path | None = None
    py_spy: str = "py-spy"
    results: Path = RESULTS
    quick: bool = False


def parse_options(arguments: Sequence[str]) -> Options:
    """Return the options; ends the process with a message for what makes no sense."""
    default = Options()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--scenarios", type=_names, default=default.scenarios, metavar="NAME,NAME", help=
        "small-calls connections routes sessions workers memory bodies streams sockets profile; or all")  # fmt: skip
    add("--connections", type=_numbers(1), default=default.connections, metavar="N,N", help="default 32,256")
    add("--ladder", type=_numbers(1), default=default.ladder, metavar="N,N", help="default 1,2,4 ... 1024")
    add("--routes", type=_numbers(1), default=default.routes, metavar="N,N", help="default 1,200")
    add("--sessions", type=_numbers(1), default=default.sessions, metavar="N,N", help="default 1,1000000")
    add("--workers", type=_numbers(1), default=default.workers, metavar="N,N", help="default 1,2")
    add("--calls", type=_count(1), default=default.calls, help="calls of memory, default a million")
    add("--transfer", type=_count(1), default=default.transfer, help="bytes of bodies, default 1 GiB")
    add("--streams", type=_count(1), default=default.streams, help="idle event streams, default 5000")
    add("--duration", type=_seconds, default=default.duration, help="seconds per run, default 4")
    add("--rounds", type=_count(1), default=default.rounds, help="how often each target has its turn, default 3")
    add("--body-size", type=_count(1), default=default.body_size, help="bytes of the upstream's answer, default 120")
    add("--record-size", type=_count(2048), default=default.record_size, help="bytes of a sealed session, default 4096")
    add("--priority", type=int, default=default.priority, help="nice value of all that is started, such as -15")
    add("--realtime", action="store_true", help="let all that is started run before anything else on the machine")
    add("--targets", type=_names, default=(), metavar="NAME,NAME", help="only these; default all that are found")
    add("--gateway", type=_checkout, default=default.gateway, metavar="DIR",
        help="measure the gateway of this checkout in place of this one")  # fmt: skip
    add("--compare", type=_named_checkout, action="append", default=[], metavar="NAME=DIR",
        help="also measure the gateway of another checkout; may be repeated")  # fmt: skip
    add("--oauth2-proxy", default=default.oauth2_proxy, metavar="PROGRAM", help="default: looked for in PATH")
    add("--apache-modules", type=Path, default=default.apache_modules, metavar="DIR",
        help="where mod_auth_openidc.so is")  # fmt: skip
    add("--nginx-modules", type=Path, default=default.nginx_modules, metavar="DIR",
        help="where ngx_http_lua_module.so is")  # fmt: skip
    add("--lua-path", type=Path, metavar="DIR", help="where resty/openidc.lua and what it needs are")
    add("--express-path", type=Path, metavar="DIR", help="whose node_modules has express-openid-connect")
    add("--py-spy", default=default.py_spy, metavar="PROGRAM", help="the sampler of profile; looked for in PATH")
    add("--results", type=Path, default=default.results, metavar="DIR", help="where JSON and plot are written")
    add("--quick", action="store_true", help="run everything once and briefly: for CI, the figures mean nothing")
    given = parser.parse_args(arguments)
    if given.quick:
        given.connections, given.ladder, given.duration, given.rounds = (8,), (1, 64), 1.0, 1
        given.sessions, given.calls, given.transfer, given.streams = (1, 1000), 1000, 2**24, 20
        given.scenarios = ALL if given.scenarios == default.scenarios else given.scenarios
        given.results /= "quick"
    return Options(**{**vars(given), "compare": tuple(given.compare)})


def _count(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if (value := int(text)) < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}")
        return value

    return parse


def _numbers(least: int) -> Callable[[str], tuple[int, ...]]:
    def parse(text: str) -> tuple[int, ...]:
        return tuple(_count(least)(part) for part in text.split(","))

    return parse


def _seconds(text: str) -> float:
    if (value := float(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _named_checkout(text: str) -> tuple[str, Path]:
    name, separator, directory = text.partition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError("must be a name, an equals sign and the directory of a checkout")
    return name, _checkout(directory)


def _checkout(directory: str) -> Path:
    path = Path(directory).resolve()
    if not (path / "bff" / "__main__.py").is_file():
        raise argparse.ArgumentTypeError("must be the directory of a checkout")
    return path
