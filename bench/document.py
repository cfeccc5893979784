"""`python -m bench.document`: the tables of the last results put into docs/performance.md, between their marks."""

from __future__ import annotations

import json
import re
from pathlib import Path

from bench.options import RESULTS, ROOT

PAGE = ROOT / "docs" / "performance.md"
_MARKED = re.compile(r"(<!-- results: ([\w/-]+) -->\n).*?(<!-- end of results -->)", re.DOTALL)


def filled_in(page: str, results: Path) -> str:
    """Return the page with each marked place filled from the results of that name; raises `OSError` without them."""

    def table(found: re.Match[str]) -> str:
        figures = json.loads((results / f"{found[2]}.json").read_text())
        text = "\n".join([_run(figures), "", *figures["table"]])
        return f"{found[1]}\n{text}\n\n{found[3]}"

    return _MARKED.sub(table, page)


def _run(figures: dict[str, object]) -> str:
    machine, method = figures["machine"], figures["method"]
    assert isinstance(machine, dict)
    assert isinstance(method, dict)
    return (
        f"*{figures['gateway']}, {machine['processor']}, {machine['cores']}, Python {machine['python']}; "
        f"{method['rounds']} rounds of {method['seconds_per_run']:g} s, {method['scheduling']}*"
    )


if __name__ == "__main__":
    PAGE.write_text(filled_in(PAGE.read_text(), RESULTS))
