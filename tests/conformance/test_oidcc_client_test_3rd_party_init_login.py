"""Another site can begin a login with the issuer's name."""

from urllib.parse import parse_qsl, urlsplit

from tests.conformance.play import Play


async def test_3rd_party_init_login(play: Play) -> None:
    answer = await play.browser.navigate("/bff/login?iss=https%3A%2F%2Fprovider.example", site="cross-site")
    assert answer.status == 302
    request = dict(parse_qsl(urlsplit(answer["location"]).query))
    await play.accepted(await play.come_back(request))
