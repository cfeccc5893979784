"""The application's files as a browser gets them, and everything that is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from bff.asgi.request import Notes, attach_notes
from bff.errors import MethodNotAllowed, NotFound
from bff.static_files import Placeholder, StaticFiles, manifest, read_manifest
from tests.support.asgi_call import Answer, Fields, call

NAVIGATION = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"), ("Accept", "text/html")]
LARGE = b"0123456789" * 60_000
INDEX = b"<!doctype html><title>app</title>"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_bytes(b"secret")
    root = tmp_path / "root"
    (root / "assets").mkdir(parents=True)
    (root / "index.html").write_bytes(INDEX)
    (root / "assets" / "app.js").write_bytes(b"let app")
    (root / "assets" / "app.js.gz").write_bytes(b"gzipped")
    (root / "a b.txt").write_bytes(b"spaced")
    (root / ".env").write_bytes(b"secret")
    (root / "out.txt").symlink_to(tmp_path / "secret.txt")
    return root


def app_over(files: ASGIApp) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        attach_notes(scope, Notes("1", "-"))
        await files(scope, receive, send)

    return app


async def ask(root: Path | Placeholder, target: str | bytes, fields: Fields = (), method: str = "GET") -> Answer:
    files = root if isinstance(root, Placeholder) else StaticFiles(read_manifest(root))
    return await call(app_over(files), method, target, fields)


def remove(path: Path) -> None:
    path.unlink()


def overwrite(path: Path) -> None:
    path.write_bytes(b"another length")


async def test_a_file_is_served_with_type_tag_and_policy(root: Path) -> None:
    answer = await ask(root, "/assets/app.js")
    assert (answer.status, answer.body) == (200, b"let app")
    assert answer["content-type"] == "text/javascript; charset=utf-8"
    assert answer["content-length"] == "7"
    assert answer["cache-control"] == "no-cache"
    assert answer["referrer-policy"] == "strict-origin-when-cross-origin"
    assert "script-src 'self'" in answer["content-security-policy"]


@pytest.mark.parametrize("path", ["/", "/index.html"])
async def test_the_index_is_never_stored(root: Path, path: str) -> None:
    answer = await ask(root, path)
    assert (answer.status, answer.body, answer["cache-control"]) == (200, INDEX, "no-store")


@pytest.mark.parametrize(
    "path", ["/timesheets/42", "/a%2Fb", "/a/b.c", "/assets/missing.js", "/assets/", "//x", "/%C3%BC"]
)
async def test_a_navigation_to_no_file_gets_the_index(root: Path, path: str) -> None:
    answer = await ask(root, path, NAVIGATION)
    assert (answer.status, answer.body, answer["cache-control"]) == (200, INDEX, "no-store")


async def test_a_navigation_by_a_browser_without_fetch_metadata_gets_the_index(root: Path) -> None:
    assert (await ask(root, "/timesheets", [("Accept", "text/html,*/*")])).body == INDEX


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [("Accept", "*/*")],
        [("Accept", "text/html"), ("Sec-Fetch-Mode", "cors")],
        [("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "script")],
    ],
)
async def test_what_is_no_navigation_gets_no_index_in_place_of_a_file(root: Path, fields: Fields) -> None:
    with pytest.raises(NotFound):
        await ask(root, "/assets/missing.js", fields)


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/%2e%2e%2fsecret.txt", "/.%2e/secret.txt",
        "/assets/../../secret.txt", "/assets/..%2f..%2fsecret.txt", "/%252e%252e/secret.txt", "/..\\secret.txt",
        "/..%5csecret.txt", "/%00", "/index.html%00", "/index.html%00.js", "/a%0d%0ab", "/%ff%fe", "/%c0%ae%c0%ae/x",
        "/..;/secret.txt", "/%2e%2e;x/secret.txt", "/.env", "/assets/./app.js", "/%", "/%zz", "/out.txt/..",
        "/.git/config", "/.well-known/missing", "/%EF%BC%8E%EF%BC%8E/secret.txt",
    ],
)  # fmt: skip
@pytest.mark.parametrize("fields", [NAVIGATION, []])
async def test_what_tries_to_leave_the_directory_or_names_hidden_files_is_not_found(
    root: Path, path: str, fields: Fields
) -> None:
    with pytest.raises(NotFound):
        await ask(root, path, fields)


@pytest.mark.parametrize("path", ["/out.txt", "/etc/passwd", "//etc/passwd", "/assets%2fapp.js", "/assets/app.js.gz"])
async def test_what_is_not_in_the_manifest_is_not_found(root: Path, path: str) -> None:
    with pytest.raises(NotFound):
        await ask(root, path)


async def test_a_name_is_found_percent_encoded(root: Path) -> None:
    assert (await ask(root, "/a%20b.txt")).body == b"spaced"


async def test_the_query_does_not_matter(root: Path) -> None:
    assert (await ask(root, "/assets/app.js?v=../../secret.txt")).body == b"let app"


async def test_a_precompressed_file_is_sent_to_who_accepts_it(root: Path) -> None:
    answer = await ask(root, "/assets/app.js", [("Accept-Encoding", "gzip, deflate")])
    assert (answer.body, answer["content-encoding"], answer["vary"]) == (b"gzipped", "gzip", "Accept-Encoding")
    assert answer["content-type"] == "text/javascript; charset=utf-8"
    plain = await ask(root, "/assets/app.js", [("Accept-Encoding", "identity")])
    assert (plain.body, plain.get("content-encoding"), plain["vary"]) == (b"let app", None, "Accept-Encoding")
    assert plain["etag"] != answer["etag"]


async def test_a_client_that_has_the_file_is_told_so(root: Path) -> None:
    first = await ask(root, "/assets/app.js")
    again = await ask(root, "/assets/app.js", [("If-None-Match", first["etag"])])
    assert (again.status, again.body, again["etag"], again["cache-control"]) == (304, b"", first["etag"], "no-cache")
    assert again.get("content-length") is None
    assert again.get("content-type") is None


async def test_head_is_answered_like_get_without_the_body(root: Path) -> None:
    answer = await ask(root, "/assets/app.js", method="HEAD")
    assert (answer.status, answer.body, answer["content-length"]) == (200, b"", "7")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
async def test_files_are_only_read(root: Path, method: str) -> None:
    with pytest.raises(MethodNotAllowed):
        await ask(root, "/", method=method)


async def test_a_range_is_answered_with_the_whole_file(root: Path) -> None:
    answer = await ask(root, "/assets/app.js", [("Range", "bytes=0-1")])
    assert (answer.status, answer.body) == (200, b"let app")


class TestFileOnDisk:
    @pytest.fixture
    def large(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(manifest, "LARGEST_IN_MEMORY", 100)
        path = root / "large.bin"
        path.write_bytes(LARGE)
        return path

    async def test_is_read_in_chunks(self, root: Path, large: Path) -> None:
        answer = await ask(root, "/large.bin")
        assert answer.body == LARGE
        assert answer["content-length"] == "600000"

    async def test_is_not_opened_for_its_head(self, root: Path, large: Path) -> None:
        app = app_over(StaticFiles(read_manifest(root)))
        remove(large)
        assert (await call(app, "HEAD", "/large.bin"))["content-length"] == "600000"

    async def test_that_is_gone_or_another_is_not_found(self, root: Path, large: Path) -> None:
        app = app_over(StaticFiles(read_manifest(root)))
        for change in (remove, overwrite):
            change(large)
            with pytest.raises(NotFound):
                await call(app, "GET", "/large.bin")


async def test_without_an_application_a_page_says_what_to_set() -> None:
    answer = await ask(Placeholder(), "/")
    assert answer.status == 200
    assert "BFF_STATIC_DIR" in answer.text
    assert answer["cache-control"] == "no-store"
    with pytest.raises(NotFound):
        await ask(Placeholder(), "/elsewhere", NAVIGATION)
    with pytest.raises(MethodNotAllowed):
        await ask(Placeholder(), "/", method="POST")
