"""What was found is kept in files: what was measured, on what, and the pictures."""

from __future__ import annotations

import json
from pathlib import Path

from bench.section import Section


def test_a_section_is_written_as_figures_and_pictures(tmp_path: Path) -> None:
    section = Section("routes", "Number of routes", "| a |\n| - |", {"rows": [1]}, {"routes.svg": "<svg/>"})
    paths = section.write(tmp_path / "new", {"machine": {"cores": "two"}})
    assert [path.name for path in paths] == ["routes.json", "routes.svg"]
    assert json.loads(paths[0].read_text()) == {
        "machine": {"cores": "two"},
        "table": ["| a |", "| - |"],
        "rows": [1],
    }
    assert paths[1].read_text() == "<svg/>"
