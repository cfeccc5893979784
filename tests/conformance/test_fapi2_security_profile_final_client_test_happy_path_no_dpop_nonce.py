"""The whole flow, where nobody demands a nonce."""

from tests.conformance.play import Play


async def test_happy_path_no_dpop_nonce(fapi_play: Play) -> None:
    await fapi_play.accepted(await fapi_play.log_in())
    assert fapi_play.asked[-3:] == ["/par", "/token", "/userinfo"]
    bound = [request for request in fapi_play.provider.requests if "dpop" in request.headers]
    assert [request.url.path for request in bound] == ["/par", "/token", "/userinfo"]
