"""An audience in an array of one is taken."""

from tests.conformance.play import Play
from tests.support.signed_tokens import CLIENT_ID


async def test_valid_aud_as_array(fapi_play: Play) -> None:
    fapi_play.lie(aud=[CLIENT_ID])
    await fapi_play.accepted(await fapi_play.log_in())
