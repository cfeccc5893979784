"""Which algorithms tokens of the provider may be signed with, and how long an older one counts."""

from __future__ import annotations

import pytest

from bff.provider.algorithms import OVERLAP, SigningAlgorithms
from tests.unit.oauth.provider_documents import metadata

NOW = 1_800_000_000.0


def logout_algorithms(algorithms: SigningAlgorithms, *listed: str, now: float = NOW) -> set[str]:
    return set(algorithms.for_logout_tokens(metadata(id_token_signing_alg_values_supported=list(listed)), now))


def test_the_configured_algorithm_is_the_only_one_whatever_is_listed_or_seen() -> None:
    algorithms = SigningAlgorithms("ES256")
    algorithms.saw("RS256", NOW)
    assert algorithms.for_id_tokens(metadata()) == ("ES256",)
    assert logout_algorithms(algorithms, "RS256", "PS256") == {"ES256"}


def test_an_id_token_may_have_any_listed_algorithm() -> None:
    assert SigningAlgorithms(None).for_id_tokens(metadata()) == ("RS256", "ES256")


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (("RS256",), {"RS256"}),
        (("ES256", "RS256", "PS256"), {"RS256"}),
        (("ES256", "PS256"), {"ES256", "PS256"}),
    ],
)
def test_before_the_first_id_token_a_logout_token_has_the_default_or_what_is_listed(
    listed: tuple[str, ...], expected: set[str]
) -> None:
    assert logout_algorithms(SigningAlgorithms(None), *listed) == expected


def test_a_logout_token_is_signed_as_the_id_tokens_are() -> None:
    algorithms = SigningAlgorithms(None)
    algorithms.saw("ES256", NOW)
    assert logout_algorithms(algorithms, "RS256", "ES256") == {"ES256"}


def test_for_a_day_after_a_change_the_algorithm_before_counts_too() -> None:
    algorithms = SigningAlgorithms(None)
    algorithms.saw("RS256", NOW)
    algorithms.saw("ES256", NOW + 10)
    assert logout_algorithms(algorithms, "RS256", "ES256", now=NOW + OVERLAP - 1) == {"RS256", "ES256"}
    assert logout_algorithms(algorithms, "RS256", "ES256", now=NOW + OVERLAP) == {"ES256"}


def test_the_newest_counts_however_long_ago_it_was_seen() -> None:
    algorithms = SigningAlgorithms(None)
    algorithms.saw("ES256", NOW)
    assert logout_algorithms(algorithms, "RS256", "ES256", now=NOW + 30 * OVERLAP) == {"ES256"}


def test_no_more_than_two_are_remembered_the_latest_seen() -> None:
    algorithms = SigningAlgorithms(None)
    for name in ("RS256", "PS256", "RS256", "ES256"):
        algorithms.saw(name, NOW)
    assert logout_algorithms(algorithms, "RS256", "PS256", "ES256") == {"RS256", "ES256"}


def test_what_the_provider_does_not_list_any_more_does_not_count() -> None:
    algorithms = SigningAlgorithms(None)
    algorithms.saw("RS256", NOW)
    algorithms.saw("ES256", NOW)
    assert logout_algorithms(algorithms, "ES256", "PS256") == {"ES256"}


def test_two_names_of_one_algorithm_are_the_same() -> None:
    algorithms = SigningAlgorithms(None)
    algorithms.saw("Ed25519", NOW)
    assert logout_algorithms(algorithms, "EdDSA", "RS256") == {"Ed25519"}
