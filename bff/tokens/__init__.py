"""The tokens of a session: kept fresh, refreshed once at a time on all instances together."""

from bff.tokens.records import record_from_login
from bff.tokens.tokens import Tokens

__all__ = ["Tokens", "record_from_login"]
