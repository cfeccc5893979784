"""The tokens of a session: kept fresh, refreshed once at a time on all instances together."""

from bff.tokens.client_tokens import ClientTokens
from bff.tokens.records import record_from_login
from bff.tokens.tokens import Tokens

__all__ = ["ClientTokens", "Tokens", "record_from_login"]
