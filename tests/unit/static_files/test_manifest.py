from __future__ import annotations

import os
from pathlib import Path

import pytest

from bff.static_files import manifest
from bff.static_files.manifest import is_hashed, read_manifest
from bff.static_files.media_types import media_type


def write(root: Path, name: str, content: bytes = b"x") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_every_file_is_listed_by_its_path(tmp_path: Path) -> None:
    write(tmp_path, "index.html")
    write(tmp_path, "assets/app.js")
    write(tmp_path, "a b/ü.txt")
    assert set(read_manifest(tmp_path)) == {"/index.html", "/", "/assets/app.js", "/a b/ü.txt"}


def test_a_directory_with_an_index_is_listed_by_its_slash(tmp_path: Path) -> None:
    write(tmp_path, "docs/index.html")
    listed = read_manifest(tmp_path)
    assert listed["/docs/"] is listed["/docs/index.html"]


def test_hidden_files_and_directories_are_not_listed_but_well_known_ones_are(tmp_path: Path) -> None:
    for name in (".env", ".git/config", "assets/.htpasswd", ".well-known/security.txt"):
        write(tmp_path, name)
    assert set(read_manifest(tmp_path)) == {"/.well-known/security.txt"}


def test_links_that_leave_the_directory_are_not_listed_and_links_within_are(tmp_path: Path) -> None:
    secret = write(tmp_path, "secret.txt")
    root = tmp_path / "root"
    inside = write(root, "versions/1/app.js")
    (root / "out.txt").symlink_to(secret)
    (root / "up").symlink_to(tmp_path)
    (root / "dangling.txt").symlink_to(root / "nowhere")
    (root / "current.js").symlink_to(inside)
    assert set(read_manifest(root)) == {"/versions/1/app.js", "/current.js"}


def test_the_directory_itself_may_be_a_link(tmp_path: Path) -> None:
    write(tmp_path, "release-7/index.html")
    (tmp_path / "current").symlink_to(tmp_path / "release-7")
    assert "/index.html" in read_manifest(tmp_path / "current")


def test_what_is_no_regular_file_is_not_listed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read_manifest(tmp_path) == {}


def test_precompressed_siblings_are_encodings_of_their_file(tmp_path: Path) -> None:
    for name in ("app.js", "app.js.br", "app.js.zst", "app.js.gz", "alone.gz"):
        write(tmp_path, name)
    listed = read_manifest(tmp_path)
    assert set(listed) == {"/app.js", "/alone.gz"}
    assert list(listed["/app.js"].encodings) == ["br", "zstd", "gzip"]


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        read_manifest(tmp_path / "nowhere")


def test_a_directory_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def walk(_root: Path, *, onerror: object) -> list[object]:
        assert callable(onerror)
        onerror(PermissionError("folder"))
        return []

    monkeypatch.setattr(os, "walk", walk)
    with pytest.raises(PermissionError):
        read_manifest(tmp_path)


def test_large_files_and_files_beyond_the_memory_set_aside_stay_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "LARGEST_IN_MEMORY", 10)
    monkeypatch.setattr(manifest, "MOST_IN_MEMORY", 15)
    for name, size in (("a", 10), ("b", 6), ("c", 5), ("large", 11)):
        write(tmp_path, name, b"x" * size)
    in_memory = {path for path, asset in read_manifest(tmp_path).items() if asset.identity.body is not None}
    assert in_memory == {"/a", "/c"}


def test_the_entity_tag_depends_on_content_and_media_type_alone(tmp_path: Path) -> None:
    for name, content in (("a.js", b"1"), ("b.js", b"1"), ("c.js", b"2"), ("a.css", b"1")):
        write(tmp_path, name, content)
    tags = {path: asset.identity.etag for path, asset in read_manifest(tmp_path).items()}
    assert tags["/a.js"] == tags["/b.js"]
    assert len({tags["/a.js"], tags["/c.js"], tags["/a.css"]}) == 3


@pytest.mark.parametrize(
    "name",
    [
        "index-BfFxC2kq.js", "main.3f2a1b9c.js", "2.a1b2c3d4.chunk.js", "chunk-ABCDEFGH.js",
        "main-AB7CDE2F.js", "logo.d3b07384.svg", "index-BfFxC2kq.js.map", "app.0cc175b9c0f1b6a831c399e269772661.css",
        "index-B-xy_z12.js", "font-C1a2b3c4.woff2",
    ],
)  # fmt: skip
def test_names_with_a_content_hash_are_recognised(name: str) -> None:
    assert is_hashed(name)


@pytest.mark.parametrize(
    "name",
    [
        "index.html", "favicon.ico", "my-component.js", "apple-touch-icon.png", "jquery-3.7.1.min.js", "app.js",
        "report-20240101.pdf", "some-vendors1.js.txt-", "service-worker.js", "robots.txt", "x-UserProf.js",
        "user-settings.js", "x-DiwrgTda.css", "12345678.js", "-.js", "",
    ],
)  # fmt: skip
def test_names_made_of_words_and_dates_are_not_taken_for_hashed_ones(name: str) -> None:
    assert not is_hashed(name)


@pytest.mark.parametrize(
    ("name", "cache_control"),
    [
        ("index.html", "no-store"),
        ("sub/index.html", "no-store"),
        ("about.html", "no-cache"),
        ("sw.js", "no-cache"),
        ("assets/app-BfFxC2kq.js", "public, max-age=31536000, immutable"),
    ],
)
def test_only_what_can_never_change_is_cached_without_asking(tmp_path: Path, name: str, cache_control: str) -> None:
    write(tmp_path, name)
    assert read_manifest(tmp_path)[f"/{name}"].cache_control == cache_control


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.svg", "image/svg+xml"),
        ("a.wasm", "application/wasm"),
        ("a.woff2", "font/woff2"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.js.map", "application/json"),
        ("A.HTML", "text/html; charset=utf-8"),
        ("a.unknown", "application/octet-stream"),
        ("LICENSE", "application/octet-stream"),
    ],
)
def test_media_types_are_the_ones_browsers_insist_on(name: str, expected: str) -> None:
    assert media_type(Path(name)) == expected
