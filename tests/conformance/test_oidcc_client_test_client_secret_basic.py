"""The client authenticates by HTTP Basic, and not in the form."""

from tests.conformance.play import Play


async def test_client_secret_basic(play: Play) -> None:
    await play.accepted(await play.log_in())
    (token,) = [request for request in play.provider.requests if request.url.path == "/token"]
    assert token.headers["authorization"].startswith("Basic ")
    assert "client_secret" not in token.content.decode()
