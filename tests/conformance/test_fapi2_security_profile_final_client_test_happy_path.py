"""The whole flow, where every endpoint demands a nonce in the proof."""

from tests.conformance.play import Play
from tests.conformance.proofs import demand_nonces


async def test_happy_path(fapi_play: Play) -> None:
    proofs = demand_nonces(fapi_play.provider, "/par", "/token", "/userinfo")
    await fapi_play.accepted(await fapi_play.log_in())
    assert fapi_play.asked[-6:] == ["/par", "/par", "/token", "/token", "/userinfo", "/userinfo"]
    assert len(proofs) == 6
