"""Keys that have changed since they were fetched are fetched again."""

import asyncio

from tests.conformance.play import Play


async def test_signing_key_rotation_just_before_signing(play: Play) -> None:
    request = await play.begin()
    await asyncio.sleep(1)
    play.provider.rotate_key(1)
    await play.accepted(await play.come_back(request))
    assert play.fetched.count("/jwks") == 2
