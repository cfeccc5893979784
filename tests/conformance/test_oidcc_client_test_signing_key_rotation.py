"""A login after a rotation of keys is taken as the one before."""

from tests.conformance.play import Play


async def test_signing_key_rotation(play: Play) -> None:
    await play.accepted(await play.log_in())
    play.provider.rotate_key(1)
    await play.accepted(await play.log_in())
