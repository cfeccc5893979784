"""An ID token that expired minutes ago is refused."""

from tests.conformance.play import Play
from tests.support.virtual_time import clock


async def test_invalid_expired_exp(fapi_play: Play) -> None:
    fapi_play.lie(exp=int(clock()) - 300)
    await fapi_play.refused(await fapi_play.log_in(), "id_token.expired", asked_last="/token")
