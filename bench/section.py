"""What a scenario found: a table to read, figures to compute with, pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Section:
    """One scenario's result; `plots` are SVG documents by file name, `succeeded` if the gateway was measured."""

    name: str
    title: str
    table: str
    data: Mapping[str, Any]
    plots: Mapping[str, str] = field(default_factory=dict)
    succeeded: bool = True

    def write(self, results: Path, about: Mapping[str, Any]) -> list[Path]:
        """Write `<name>.json`, `about` the run first, and the plots; return their paths."""
        results.mkdir(parents=True, exist_ok=True)
        figures = results / f"{self.name}.json"
        figures.write_text(
            json.dumps({**about, "table": self.table.splitlines(), **self.data}, indent=2, ensure_ascii=False) + "\n"
        )
        for name, picture in self.plots.items():
            (results / name).write_text(picture)
        return [figures, *(results / name for name in self.plots)]
