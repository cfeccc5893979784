"""The upstream answers with as many bytes as were asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.nginx import json_body, upstream_configuration


@pytest.mark.parametrize("size", [18, 19, 120, 100_000])
def test_the_answer_is_json_of_exactly_that_size(size: int) -> None:
    body = json_body(size)
    assert len(body) == size
    assert json.loads(body)["id"] == 1


def test_an_answer_too_long_for_a_directive_comes_from_a_file(tmp_path: Path) -> None:
    configuration = upstream_configuration(tmp_path, 8000, 100_000)
    assert len(configuration) < 4096
    assert (tmp_path / "files" / "api" / "small").stat().st_size == 100_000
