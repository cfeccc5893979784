"""A plan of the suite and its modules: how each is played, and what must come of it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from .drives import Drive, sign_in_and_out

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclasses.dataclass(frozen=True, slots=True)
class Module:
    """How a module is played and what must come of it.

    `ready` says whether the gateway must be ready before the browser starts, `settings` are `BFF_` variables
    for this module alone, and `stop_first` ends the gateway before the test does (where the suite takes any
    further request for an error).
    """

    drive: Drive = sign_in_and_out
    result: str = "PASSED"
    ready: bool = True
    stop_first: bool = False
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """A plan of the suite; `client` maps further fields of its client to paths of the gateway.

    `wait_seconds` is how long the suite waits for a request that must not come. `scope` is what the client is
    registered for where the plan asks. With `is_financial`, client and provider have keys and certificates, and the
    API is the suite's own; `token` says whose token its calls carry.
    """

    key: str
    name: str
    title: str
    variant: Mapping[str, str]
    modules: Mapping[str, Module]
    client: Mapping[str, str] = dataclasses.field(default_factory=dict)
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    scope: str | None = None
    is_financial: bool = False
    token: str = "user"
    wait_seconds: int = 2
