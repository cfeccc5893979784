"""Where the browser logs out at the provider (OpenID Connect RP-Initiated Logout 1.0 section 2)."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from bff.oauth.metadata import ProviderMetadata

# What servers and browsers take without a 414. An ID token with many groups can be longer alone: the provider then
# knows the client by `client_id` and the user by their session there.
MAX_LENGTH = 8000


def end_session_url(
    metadata: ProviderMetadata,
    *,
    id_token_hint: str | None,
    client_id: str,
    post_logout_redirect_uri: str,
    state: str | None = None,
) -> str | None:
    """Return the URL, None if the provider has no such endpoint; without the hint if it would be too long."""
    if metadata.end_session_endpoint is None:
        return None
    parameters = {"client_id": client_id, "post_logout_redirect_uri": post_logout_redirect_uri}
    if state is not None:
        parameters["state"] = state
    if id_token_hint is not None:
        url = _url(metadata.end_session_endpoint, {"id_token_hint": id_token_hint, **parameters})
        if len(url) <= MAX_LENGTH:
            return url
    return _url(metadata.end_session_endpoint, parameters)


def _url(endpoint: str, parameters: dict[str, str]) -> str:
    separator = "&" if "?" in endpoint else "?"
    return f"{endpoint}{separator}{urlencode(parameters, quote_via=quote)}"
