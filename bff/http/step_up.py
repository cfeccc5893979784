"""Step-up authentication (RFC 9470): what kind of login a call needs, who demands it, and how it is asked for."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from bff.http.challenges import parse_challenges

CHALLENGED: Final = frozenset({401, 403})
"""The statuses that a demand may come with: RFC 9470 has 401, and APIs that know RFC 6750 only as 403 exist."""

_SCHEMES: Final = frozenset({"bearer", "dpop"})
_ERROR: Final = "insufficient_user_authentication"
_CONTEXTS = re.compile(r"[!#-\[\]-~]{1,256}(?: [!#-\[\]-~]{1,256}){0,9}", re.ASCII)
_LONGEST: Final = 1024
"""Characters of a parameter that the login endpoint passes on."""

_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)
AS_GOOD_AS_NOW: Final = 30.0
"""Seconds in which a login counts as made just now: for the way back to the page, and the page's first call."""


@dataclass(frozen=True, slots=True)
class StepUp:
    """A login that a call needs: one of `acr_values`, at most `max_age` seconds ago; () and None demand nothing.

    What demands neither demands just another login.
    """

    acr_values: tuple[str, ...] = ()
    max_age: int | None = None

    def is_met(self, acr: str | None, auth_time: float | None, now: float, *, at_least: float = 0.0) -> bool:
        """Whether the login was such a one; one whose class or time nobody told was not.

        `at_least` is the age up to which a login is never too old.
        """
        if self.acr_values and acr not in self.acr_values:
            return False
        if self.max_age is not None or not self.acr_values:
            return auth_time is not None and now - auth_time <= max(self.max_age or 0, at_least)
        return True

    @property
    def query(self) -> str:
        """The query for the login endpoint that asks for it."""
        parameters = {}
        if self.acr_values:
            parameters["acr_values"] = " ".join(self.acr_values)
        if self.max_age is not None or not self.acr_values:
            parameters["max_age"] = str(self.max_age or 0)
        return urlencode(parameters, quote_via=quote, safe=":/")


def refuses_token(fields: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether an upstream's challenge says that the access token is not valid (RFC 6750 section 3.1)."""
    values = [value for name, value in fields if name.lower() == b"www-authenticate"]
    return any(
        challenge.scheme in _SCHEMES and challenge.parameters.get("error") == "invalid_token"
        for challenge in (parse_challenges(values) if values else ())
    )


def demanded_step_up(fields: Sequence[tuple[bytes, bytes]], passed_on: Collection[str]) -> StepUp | None:
    """Return what an upstream's challenge demands, None if it demands nothing that can be asked for.

    `passed_on` are the parameters that the login endpoint passes on. A malformed demand is none: nothing of it may
    reach a URL.
    """
    values = [value for name, value in fields if name.lower() == b"www-authenticate"]
    for challenge in parse_challenges(values) if values else ():
        if challenge.scheme in _SCHEMES and challenge.parameters.get("error") == _ERROR:
            return _demand(challenge.parameters, passed_on)
    return None


def _demand(parameters: dict[str, str], passed_on: Collection[str]) -> StepUp | None:
    contexts, seconds = parameters.get("acr_values"), parameters.get("max_age")
    if contexts is not None and ("acr_values" not in passed_on or not _is_list_of_contexts(contexts)):
        return None
    if (seconds is not None or contexts is None) and "max_age" not in passed_on:
        return None
    if seconds is not None and not _SECONDS.fullmatch(seconds):
        return None
    return StepUp(
        acr_values=() if contexts is None else tuple(contexts.split(" ")),
        max_age=None if seconds is None else int(seconds),
    )


def _is_list_of_contexts(text: str) -> bool:
    return len(text) <= _LONGEST and _CONTEXTS.fullmatch(text) is not None
