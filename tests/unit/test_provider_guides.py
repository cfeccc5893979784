"""The provider guides: their environments load, and the realm to try Keycloak with fits the gateway."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bff.settings import Settings, load_settings
from tests.support.provider_guides import environment_blocks, read_environment
from tests.unit.settings.environments import files

CHECKOUT = Path(__file__).resolve().parents[2]
GUIDES = CHECKOUT / "docs" / "providers"
INDEX = (GUIDES / "README.md").read_text(encoding="utf-8")
PAGES = sorted(page for page in GUIDES.glob("*.md") if page.name != "README.md")
SECRETS = {"/run/secrets/client": b"the-client's-secret\n", "/run/secrets/keys": b"k" * 43}

DEPLOYMENT = CHECKOUT / "deploy" / "keycloak"
REALM = json.loads((DEPLOYMENT / "timesheets-realm.json").read_text(encoding="utf-8"))
(CLIENT,) = REALM["clients"]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def settings_of(page: Path) -> Settings:
    (environment,) = environment_blocks(page.read_text(encoding="utf-8"))
    return load_settings(environment, read_file=files(SECRETS))


def test_there_is_a_page_for_each_provider() -> None:
    assert [page.stem for page in PAGES] == ["apple", "auth0", "cognito", "entra-id", "google", "keycloak", "okta"]


@each_page
def test_the_environment_of_a_page_loads_and_is_fit_for_production(page: Path) -> None:
    settings = settings_of(page)
    assert settings.public_url.origin == "https://app.example.com"
    assert settings.issuer.startswith("https://")
    assert settings.client_secret is not None
    assert settings.client_secret.reveal() == "the-client's-secret"
    assert settings.redis_url is not None
    assert [route.prefix for route in settings.routes] == ["/api"]
    assert "openid" in settings.scopes


@each_page
def test_a_page_says_what_to_register(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "## Register" in text
    assert "`https://app.example.com/bff/callback`" in text
    assert "## Quirks, and what the gateway does" in text


@each_page
def test_a_page_and_the_index_say_alike_whether_it_was_run_for_real(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| \[.+\]\({page.name}\) \| (.+) \|$", INDEX, re.MULTILINE)
    status = text.split("\n\n")[1]
    if page.stem == "keycloak":
        assert row.startswith("Run for real:")
        assert status.startswith("Run for real:")
    else:
        assert re.fullmatch(r"Written from \S+ documentation\.", row)
        assert status == row.replace(".", "; not run for real.")


@pytest.mark.parametrize("name", ["google", "cognito", "keycloak"])
def test_where_offline_access_is_refused_or_harmful_it_is_not_asked_for(name: str) -> None:
    assert "offline_access" not in settings_of(GUIDES / f"{name}.md").scopes


@pytest.mark.parametrize("name", ["auth0", "entra-id", "okta"])
def test_where_offline_access_gives_the_refresh_token_it_is_asked_for(name: str) -> None:
    assert "offline_access" in settings_of(GUIDES / f"{name}.md").scopes


def test_apple_is_asked_to_post() -> None:
    assert settings_of(GUIDES / "apple.md").response_mode == "form_post"


def test_cognito_has_a_logout_of_its_own() -> None:
    assert "logout_uri=" in (settings_of(GUIDES / "cognito.md").logout_url or "")


def test_google_is_given_its_own_parameters_with_every_login() -> None:
    always = settings_of(GUIDES / "google.md").authorization_params
    assert dict(always or ()) == {"access_type": "offline", "prompt": "consent"}


def test_the_issuers_slash_at_the_end_is_as_the_provider_has_it() -> None:
    with_slash = [page.stem for page in PAGES if settings_of(page).issuer.endswith("/")]
    assert with_slash == ["auth0"]


def test_the_environment_to_try_keycloak_with_fits_the_realm() -> None:
    settings = load_settings(read_environment(DEPLOYMENT / "gateway.env"), read_file=files({}))
    assert settings.client_id == CLIENT["clientId"]
    assert settings.client_secret is not None
    assert default_of(CLIENT["secret"]) == settings.client_secret.reveal()
    assert settings.issuer.endswith(f"/realms/{REALM['realm']}")
    origin = settings.public_url.origin
    assert [default_of(uri) for uri in CLIENT["redirectUris"]] == [f"{origin}/bff/callback"]
    assert default_of(CLIENT["attributes"]["post.logout.redirect.uris"]) == f"{origin}{settings.post_logout_path}"
    assert default_of(CLIENT["attributes"]["backchannel.logout.url"]) == f"{origin}/bff/backchannel-logout"
    known = {"openid", *CLIENT["defaultClientScopes"], *CLIENT["optionalClientScopes"]}
    assert set(settings.scopes) <= known


def test_the_realms_client_can_do_no_more_than_it_has_to() -> None:
    switched_on = {name for name, value in CLIENT.items() if name.endswith(("Enabled", "Allowed")) and value}
    assert switched_on == {"standardFlowEnabled"}
    assert CLIENT["publicClient"] is False
    assert CLIENT["attributes"]["pkce.code.challenge.method"] == "S256"
    assert (REALM["revokeRefreshToken"], REALM["refreshTokenMaxReuse"]) == (True, 0)
    assert REALM["accessTokenLifespan"] <= 60


def test_the_page_to_try_keycloak_names_every_user_with_password_and_role() -> None:
    text = (DEPLOYMENT / "README.md").read_text(encoding="utf-8")
    for user in REALM["users"]:
        (password,) = [credential["value"] for credential in user["credentials"]]
        assert f"| `{user['username']}` | `{password}` | {user['realmRoles'][0]} |" in text


def default_of(placeholder: str) -> str:
    """Return what Keycloak makes of a value where the environment does not have its variable."""
    return re.sub(r"\$\{[A-Z_]+:(.*?)\}", r"\1", placeholder)
