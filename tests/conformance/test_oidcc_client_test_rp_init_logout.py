"""The browser is sent to end the session there, and comes back."""

from urllib.parse import parse_qsl, urlsplit

from tests.conformance.play import Play


async def test_rp_init_logout(play: Play) -> None:
    await play.accepted(await play.log_in())
    answer = await play.browser.fetch("POST", "/bff/logout", fields=[("Accept", "application/json")])
    sent = dict(parse_qsl(urlsplit(answer.json["logout_url"]).query))
    assert {"id_token_hint", "post_logout_redirect_uri", "state"} <= sent.keys()
    assert (await play.browser.navigate(f"/?state={sent['state']}", site="cross-site")).status < 400
    assert (await play.browser.session())["authenticated"] is False
