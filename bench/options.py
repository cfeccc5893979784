"""The command line's options."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to measure and how; times are in seconds, sizes in bytes, empty `targets` means all that are found."""

    connections: tuple[int, ...] = (32, 256)
    duration: float = 4.0
    rounds: int = 3
    body_size: int = 120
    record_size: int = 4096
    priority: int = 0
    targets: tuple[str, ...] = ()
    compare: tuple[tuple[str, Path], ...] = ()
    oauth2_proxy: str = "oauth2-proxy"
    apache_modules: Path = Path("/usr/lib/apache2/modules")
    nginx_modules: Path = Path("/usr/lib/nginx/modules")
    lua_path: Path | None = None
    express_path: Path | None = None
    results: Path = RESULTS
    quick: bool = False


def parse_options(arguments: Sequence[str]) -> Options:
    """Return the options; ends the process with a message for what makes no sense."""
    default = Options()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--connections", type=_numbers(1), default=default.connections, metavar="N,N", help="default 32,256")
    add("--duration", type=_seconds, default=default.duration, help="seconds per run, default 4")
    add("--rounds", type=_count(1), default=default.rounds, help="how often each target has its turn, default 3")
    add("--body-size", type=_count(1), default=default.body_size, help="bytes of the upstream's answer, default 120")
    add("--record-size", type=_count(2048), default=default.record_size, help="bytes of a sealed session, default 4096")
    add("--priority", type=int, default=default.priority, help="nice value of all that is started, such as -15")
    add("--targets", type=_names, default=(), metavar="NAME,NAME", help="only these; default all that are found")
    add("--compare", type=_checkout, action="append", default=[], metavar="NAME=DIR",
        help="also measure the gateway of another checkout; may be repeated")  # fmt: skip
    add("--oauth2-proxy", default=default.oauth2_proxy, metavar="PROGRAM", help="default: looked for in PATH")
    add("--apache-modules", type=Path, default=default.apache_modules, metavar="DIR",
        help="where mod_auth_openidc.so is")  # fmt: skip
    add("--nginx-modules", type=Path, default=default.nginx_modules, metavar="DIR",
        help="where ngx_http_lua_module.so is")  # fmt: skip
    add("--lua-path", type=Path, metavar="DIR", help="where resty/openidc.lua and what it needs are")
    add("--express-path", type=Path, metavar="DIR", help="whose node_modules has express-openid-connect")
    add("--results", type=Path, default=default.results, metavar="DIR", help="where JSON and plot are written")
    add("--quick", action="store_true", help="run everything once and briefly: for CI, the figures mean nothing")
    given = parser.parse_args(arguments)
    if given.quick:
        given.connections, given.duration, given.rounds = (8,), 1.0, 1
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


def _checkout(text: str) -> tuple[str, Path]:
    name, separator, directory = text.partition("=")
    path = Path(directory).resolve()
    if not separator or not (path / "bff" / "__main__.py").is_file():
        raise argparse.ArgumentTypeError("must be a name, an equals sign and the directory of a checkout")
    return name, path
