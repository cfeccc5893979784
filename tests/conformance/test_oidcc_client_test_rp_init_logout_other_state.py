"""A return with another state does no harm."""

from urllib.parse import parse_qsl, urlsplit

from tests.conformance.play import Play


async def test_rp_init_logout_other_state(play: Play) -> None:
    await play.accepted(await play.log_in())
    answer = await play.browser.fetch("POST", "/bff/logout", fields=[("Accept", "application/json")])
    sent = dict(parse_qsl(urlsplit(answer.json["logout_url"]).query))
    assert {"id_token_hint", "post_logout_redirect_uri", "state"} <= sent.keys()
    assert (await play.browser.navigate("/?state=another", site="cross-site")).status < 400
    assert (await play.browser.session())["authenticated"] is False
