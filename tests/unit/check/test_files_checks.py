"""The page's files: readable, named after their content, compressed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bff.check import files_checks
from bff.check.files_checks import check_files
from bff.check.findings import Finding, Level
from tests.support.provider_settings import provider_settings
from tests.unit.check.facts import by_id, worse_than_good


def checked(directory: Path, files: dict[str, bytes]) -> list[Finding]:
    for name, content in {"index.html": b"<!doctype html>", **files}.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return check_files(provider_settings(static_dir=str(directory)))


def test_a_page_as_bundlers_build_it_is_good(tmp_path: Path) -> None:
    findings = checked(
        tmp_path,
        {"assets/index-D1wrgTda.js": b"x" * 5000, "assets/index-D1wrgTda.js.br": b"x", "logo.png": b"y" * 9000},
    )
    assert worse_than_good(findings) == {}
    assert "3 files" in by_id(findings)["static.files"].seen


def test_scripts_without_a_hash_are_named_the_first_of_them(tmp_path: Path) -> None:
    findings = checked(tmp_path, {f"{name}.js": b"" for name in "edcba"})
    assert worse_than_good(findings) == {"static.hashed": Level.NOTE}
    assert "/a.js, /b.js, /c.js and 2 more" in by_id(findings)["static.hashed"].seen


def test_large_text_without_a_compressed_variant_is_named(tmp_path: Path) -> None:
    findings = checked(tmp_path, {"app-D1wrgTda.css": b" " * 5000, "small-D1wrgTda.css": b" "})
    assert worse_than_good(findings) == {"static.precompressed": Level.NOTE}
    assert by_id(findings)["static.precompressed"].seen == "Sent uncompressed: /app-D1wrgTda.css"


def test_a_file_that_cannot_be_read_makes_the_gateway_unusable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(directory: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files_checks, "read_manifest", refuse)
    findings = checked(tmp_path, {})
    assert worse_than_good(findings) == {"static.files": Level.UNUSABLE}
    assert "permission denied" in findings[0].seen


def test_no_page_is_noted() -> None:
    assert worse_than_good(check_files(provider_settings())) == {"static.none": Level.NOTE}
