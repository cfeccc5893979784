"""The built single-page application as the repository has it, seen as the gateway will serve it."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from bff.demo.stack import APPLICATION
from bff.static_files import read_manifest
from bff.static_files.manifest import Asset, is_hashed
from bff.static_files.policy import inline_scripts


@pytest.fixture(scope="module")
def manifest() -> dict[str, Asset]:
    return read_manifest(APPLICATION)


def document() -> str:
    return (APPLICATION / "index.html").read_text()


def test_everything_the_document_names_is_part_of_the_build(manifest: dict[str, Asset]) -> None:
    named = re.findall(r'(?:src|href)="([^"]+)"', document())
    assert any(address.endswith(".js") for address in named)
    assert any(address.endswith(".css") for address in named)
    assert set(named) <= manifest.keys()


def test_nothing_in_the_document_is_inline() -> None:
    assert inline_scripts(document().encode()) == []
    assert not re.search(r"<style|\sstyle=|\son\w+=", document())


def test_assets_have_their_hash_in_their_name_and_are_cached_for_good(manifest: dict[str, Asset]) -> None:
    assets = {path: asset for path, asset in manifest.items() if path.startswith("/assets/")}
    assert assets
    for path, asset in assets.items():
        assert is_hashed(path.rpartition("/")[2]), path
        assert "immutable" in asset.cache_control, path


def test_assets_come_compressed_too(manifest: dict[str, Asset]) -> None:
    for path, asset in manifest.items():
        if path.startswith("/assets/"):
            assert asset.encodings.keys() == {"br", "gzip"}, path
            assert gzip.decompress(asset.encodings["gzip"].body or b"") == asset.identity.body, path


def test_the_lock_names_packages_by_version_and_digest_alone() -> None:
    lock = json.loads((APPLICATION.parent / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert all("integrity" in package and "resolved" not in package for package in packages.values())
    assert {name for name, package in packages.items() if "dev" not in package} == {
        "node_modules/react",
        "node_modules/react-dom",
        "node_modules/scheduler",
    }
