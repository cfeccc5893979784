"""Step-up: what an upstream may demand, what of it reaches a URL, and when a login is good enough."""

from __future__ import annotations

import pytest

from bff.http.step_up import AS_GOOD_AS_NOW, StepUp, demanded_step_up, refuses_token

BOTH = ("acr_values", "max_age")


def demanded(line: bytes, passed_on: tuple[str, ...] = BOTH) -> StepUp | None:
    return demanded_step_up([(b"Content-Type", b"x"), (b"WWW-Authenticate", line)], passed_on)


@pytest.mark.parametrize(
    ("line", "demand"),
    [
        (b'Bearer error="insufficient_user_authentication", acr_values="gold"', StepUp(("gold",))),
        (b'Bearer error="insufficient_user_authentication", acr_values="gold urn:x", max_age="60"',
         StepUp(("gold", "urn:x"), 60)),
        (b"bearer error=insufficient_user_authentication, max_age=5", StepUp((), 5)),
        (b'DPoP error="insufficient_user_authentication", max_age=0', StepUp((), 0)),
        (b'Basic realm="a", Bearer error="insufficient_user_authentication"', StepUp()),
    ],
)  # fmt: skip
def test_a_demand_is_read(line: bytes, demand: StepUp) -> None:
    assert demanded(line) == demand


@pytest.mark.parametrize(
    "line",
    [
        b"Bearer",
        b'Bearer error="insufficient_scope", acr_values="gold"',
        b'Basic error="insufficient_user_authentication"',
        b'Bearer error="insufficient_user_authentication", acr_values="gold',
        b'Bearer error="insufficient_user_authentication", acr_values=""',
        b'Bearer error="insufficient_user_authentication", acr_values="a  b"',
        b'Bearer error="insufficient_user_authentication", acr_values="a\\"b"',
        b'Bearer error="insufficient_user_authentication", acr_values="\xe4"',
        b'Bearer error="insufficient_user_authentication", acr_values="' + b" ".join([b"a"] * 11) + b'"',
        b'Bearer error="insufficient_user_authentication", acr_values="' + b"a" * 257 + b'"',
        b'Bearer error="insufficient_user_authentication", acr_values="' + b" ".join([b"a" * 204] * 5) + b'b"',
        b'Bearer error="insufficient_user_authentication", max_age="-1"',
        b'Bearer error="insufficient_user_authentication", max_age="1e3"',
        b'Bearer error="insufficient_user_authentication", max_age="1234567890"',
        b'Bearer error="insufficient_user_authentication", max_age=""',
    ],
)
def test_anything_else_demands_nothing(line: bytes) -> None:
    assert demanded(line) is None


@pytest.mark.parametrize(
    ("line", "passed_on"),
    [
        (b"Bearer error=insufficient_user_authentication, acr_values=gold", ("max_age",)),
        (b"Bearer error=insufficient_user_authentication, acr_values=gold, max_age=1", ("acr_values",)),
        (b"Bearer error=insufficient_user_authentication, max_age=1", ("acr_values",)),
        (b"Bearer error=insufficient_user_authentication", ()),
    ],
)
def test_what_the_login_endpoint_does_not_pass_on_cannot_be_demanded(line: bytes, passed_on: tuple[str, ...]) -> None:
    assert demanded(line, passed_on) is None


def test_without_a_challenge_nothing_is_demanded() -> None:
    assert demanded_step_up([(b"Content-Type", b"x")], BOTH) is None


@pytest.mark.parametrize(
    ("step_up", "acr", "auth_time", "is_met"),
    [
        (StepUp(("gold", "silver")), "silver", None, True),
        (StepUp(("gold",)), "silver", 1000.0, False),
        (StepUp(("gold",)), None, 1000.0, False),
        (StepUp((), 60), None, 940.0, True),
        (StepUp((), 60), None, 939.0, False),
        (StepUp((), 60), "gold", None, False),
        (StepUp(("gold",), 60), "gold", 950.0, True),
        (StepUp(("gold",), 60), "gold", 900.0, False),
        (StepUp(("gold",), 60), "silver", 950.0, False),
        (StepUp((), 60), None, 1030.0, True),
        (StepUp(), None, 1000.0, True),
        (StepUp(), None, 999.0, False),
        (StepUp(), "gold", None, False),
    ],
)
def test_a_login_meets_a_demand_or_not(step_up: StepUp, acr: str | None, auth_time: float | None, is_met: bool) -> None:
    assert step_up.is_met(acr, auth_time, 1000.0) is is_met


@pytest.mark.parametrize(
    ("step_up", "query"),
    [
        (StepUp(("gold",)), "acr_values=gold"),
        (StepUp(("urn:a/b", "c&d=e"), 300), "acr_values=urn:a/b%20c%26d%3De&max_age=300"),
        (StepUp((), 0), "max_age=0"),
        (StepUp(), "max_age=0"),
    ],
)
def test_the_login_url_asks_for_what_is_demanded(step_up: StepUp, query: str) -> None:
    assert step_up.query == query


@pytest.mark.parametrize("max_age", [0, 5, None])
def test_a_login_made_just_now_is_not_too_old_for_an_api_that_wants_it_newer_still(max_age: int | None) -> None:
    step_up = StepUp((), max_age)
    assert step_up.is_met(None, 1000.0 - AS_GOOD_AS_NOW, 1000.0, at_least=AS_GOOD_AS_NOW)
    assert not step_up.is_met(None, 999.0 - AS_GOOD_AS_NOW, 1000.0, at_least=AS_GOOD_AS_NOW)
    assert not StepUp(("gold",), max_age).is_met("silver", 1000.0, 1000.0, at_least=AS_GOOD_AS_NOW)


@pytest.mark.parametrize(
    ("line", "refuses"),
    [(b"Bearer error=invalid_token", True), (b"Basic error=invalid_token", False), (b"Bearer error=other", False)],
)
def test_a_token_is_refused_by_a_challenge_that_says_so(line: bytes, refuses: bool) -> None:
    assert refuses_token([(b"www-authenticate", line)]) is refuses
    assert not refuses_token([(b"x", line)])
