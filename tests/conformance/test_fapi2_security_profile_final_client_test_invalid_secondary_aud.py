"""An ID token that is also for somebody else is refused."""

from tests.conformance.play import Play
from tests.support.signed_tokens import CLIENT_ID


async def test_invalid_secondary_aud(fapi_play: Play) -> None:
    fapi_play.lie(aud=[CLIENT_ID, "another"], azp=CLIENT_ID)
    await fapi_play.refused(await fapi_play.log_in(), "id_token.audience", asked_last="/token")
