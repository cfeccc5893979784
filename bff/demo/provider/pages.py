"""The provider's pages: login, consent, logout, error."""

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from bff.demo.provider.clients import Client
from bff.demo.users import SCOPE_DESCRIPTIONS, User

STYLE = Path(__file__).with_name("pages.css").read_text()

SUBMIT = "document.forms[0].submit()"

DOCUMENT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{style}">
</head>
<body>
<main>
<p class="banner">Development provider &middot; pretend users</p>
<h1>{title}</h1>
{content}
</main>
</body>
</html>
"""


class Pages:
    """Renders pages; every value is escaped, and forms may lead only here and to the clients' origins."""

    def __init__(self, users: Mapping[str, User], clients: Mapping[str, Client], prefix: str) -> None:
        self._users = users
        self._clients = clients
        self._prefix = prefix

    async def style(self, request: Request) -> Response:
        """GET /pages.css."""
        return Response(STYLE, media_type="text/css", headers={"Cache-Control": "max-age=300"})

    def login(self, form: str, client_name: str, hint: str, problem: str | None) -> Response:
        """The login page: one button a user, and a field for a name."""
        buttons = "\n".join(
            f'<button name="username" value="{escape(user.username)}"><strong>{escape(user.name)}</strong>'
            f"<span>{escape(user.summary)}</span></button>"
            for user in self._users.values()
        )
        content = f"""<p>to go on to <strong>{escape(client_name)}</strong></p>
{_alert(problem)}
<form method="post" action="{self._prefix}/login" class="people">
{_hidden(form)}
{buttons}
</form>
<form method="post" action="{self._prefix}/login" class="name">
{_hidden(form)}
<label for="username">or type a name</label>
<input id="username" name="username" value="{escape(hint)}" autocomplete="username" maxlength="64" required>
<p class="actions"><button class="primary">Log in</button>
<button name="cancel" value="1" class="quiet" formnovalidate>Cancel</button></p>
</form>"""
        return self._page("Log in", content)

    def confirm(self, form: str, client_name: str, user: User) -> Response:
        """The second step of a login that is to be surer of who is there."""
        content = f"""<p><strong>{escape(client_name)}</strong> wants to be sure that it is
<strong>{escape(user.name)}</strong> who is here. A real provider would ask for a code or a key.</p>
<form method="post" action="{self._prefix}/confirm">
{_hidden(form)}
<p class="actions"><button name="confirm" value="1" class="primary">It is me</button>
<button name="cancel" value="1" class="quiet">Cancel</button></p>
</form>"""
        return self._page("Is it you?", content)

    def consent(self, form: str, client_name: str, user: User, scope: tuple[str, ...]) -> Response:
        """The consent page: the scopes in plain words."""
        items = "\n".join(f"<li>{escape(SCOPE_DESCRIPTIONS[name])} <code>{escape(name)}</code></li>" for name in scope)
        content = f"""<p><strong>{escape(client_name)}</strong> would like to do this for
<strong>{escape(user.name)}</strong>:</p>
<ul class="scopes">
{items}
</ul>
<form method="post" action="{self._prefix}/consent">
{_hidden(form)}
<p class="actions"><button name="allow" value="1" class="primary">Allow</button>
<button name="deny" value="1" class="quiet">Refuse</button></p>
</form>"""
        return self._page("Allow access?", content)

    def confirm_logout(self, form: str, user: User) -> Response:
        """The question before a logout that nothing proves to be wanted."""
        content = f"""<p>You are logged in as <strong>{escape(user.name)}</strong>.</p>
<form method="post" action="{self._prefix}/logout/confirm">
{_hidden(form)}
<p class="actions"><button class="primary">Log out</button></p>
</form>"""
        return self._page("Log out?", content)

    def logged_out(self) -> Response:
        """The end of a logout that leads nowhere else."""
        return self._page("You are logged out", "<p>You can close this page.</p>")

    def error(self, message: str) -> Response:
        """A fault that only the person at the browser can be told."""
        return self._page("That did not work", f"<p>{escape(message)}</p>", status=400)

    def form_post(self, redirect_uri: str, answer: Mapping[str, str]) -> Response:
        """The answer to the client as a form that posts itself (OAuth 2.0 Form Post Response Mode)."""
        fields = "\n".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in answer.items()
        )
        content = f"""<form method="post" action="{escape(redirect_uri)}">
{fields}
<p class="actions"><button class="primary">Continue</button></p>
</form>
<script>{SUBMIT}</script>"""
        return self._page("Going back", content, script=SUBMIT)

    def _page(self, title: str, content: str, status: int = 200, script: str | None = None) -> Response:
        html = DOCUMENT.format(title=escape(title), content=content, style=f"{self._prefix}/pages.css")
        return HTMLResponse(html, status, self._headers(script))

    def _headers(self, script: str | None) -> dict[str, str]:
        # Chromium applies form-action to the redirects after a form too, so the clients' origins are named.
        uris = [
            uri
            for client in self._clients.values()
            for uri in (*client.redirect_uris, *client.post_logout_redirect_uris)
        ]
        origins = sorted({f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, uris)})
        policy = f"default-src 'none'; style-src 'self'; form-action 'self' {' '.join(origins)}".rstrip()
        if script is not None:
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            policy += f"; script-src 'sha256-{digest}'"
        return {
            "Content-Security-Policy": f"{policy}; frame-ancestors 'none'; base-uri 'none'",
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }


def _hidden(form: str) -> str:
    return f'<input type="hidden" name="form" value="{escape(form)}">'


def _alert(problem: str | None) -> str:
    return f'<p role="alert" class="problem">{escape(problem)}</p>' if problem else ""
