"""The type of a token may be in any case."""

from tests.conformance.play import Play


async def test_token_type_case_insensitivity(fapi_play: Play) -> None:
    fapi_play.provider.token_changes = {"token_type": "dPoP"}
    await fapi_play.accepted(await fapi_play.log_in())
