"""The gateway's settings: plain, frozen, complete."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bff.settings.route import Route
from bff.settings.secret import Secret
from bff.settings.urls import PublicUrl, UpstreamUrl
from bff.settings.values import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting under its variable's name in lower case without `BFF_`; durations in seconds, sizes in bytes.

    The variables of routes have all become `routes`. `cookie_name` is without prefix; `secret_keys` is never empty.
    """

    public_url: PublicUrl
    host: str
    port: int
    workers: int
    trusted_proxies: tuple[Network, ...]

    issuer: str
    client_id: str
    client_auth: Literal[
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "tls_client_auth",
        "self_signed_tls_client_auth",
    ]
    client_secret: Secret | None
    client_key: Secret | None
    client_cert: str | None
    client_cert_key: Secret | None
    ca_file: Path | None
    scopes: tuple[str, ...]
    audience: str | None
    resource: str | None
    par: Literal["auto", "require", "off"]
    dpop: Literal["off", "auto", "require"]
    response_mode: Literal["query", "form_post", "jwt", "form_post.jwt"]
    request_object: Literal["off", "signed"]
    profile: Literal["fapi2", "fapi2-message-signing"] | None
    userinfo: Literal["auto", "on", "off"]
    id_token_alg: str | None
    id_token_hint: bool
    login_params: tuple[str, ...]
    authorization_params: tuple[tuple[str, str], ...] | None
    silent_login: Literal["off", "on"]
    logout_url: str | None

    secret_keys: tuple[Secret, ...]
    redis_url: Secret | None
    session_idle: float
    session_max: float
    session_claims: tuple[str, ...]
    cookie_name: str

    routes: tuple[Route, ...]
    max_body: int
    upstream_timeout: float

    static_dir: Path | None
    spa_dev_server: UpstreamUrl | None
    post_logout_path: str

    metrics_port: int | None
    log_level: Literal["debug", "info", "warning", "error", "critical"]
    log_format: Literal["json", "text"]

    credential_files: tuple[tuple[str, Path], ...]

    @property
    def is_client_alone(self) -> bool:
        """Whether calls carry the gateway's own tokens only, so that nobody has to be able to log in."""
        policies = {route.token for route in self.routes}
        return "client" in policies and policies <= {"client", "none"}
