"""The gateway's settings, from environment variables alone."""

from bff.settings.load import load_secret, load_settings
from bff.settings.route import Route
from bff.settings.secret import Secret
from bff.settings.settings import Settings
from bff.settings.urls import PublicUrl, UpstreamUrl, parse_public_url, parse_upstream_url
from bff.settings.variables import VARIABLES, Variable

__all__ = [
    "VARIABLES",
    "PublicUrl",
    "Route",
    "Secret",
    "Settings",
    "UpstreamUrl",
    "Variable",
    "load_secret",
    "load_settings",
    "parse_public_url",
    "parse_upstream_url",
]
