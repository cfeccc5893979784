import pytest

from bff.errors import ProviderUnavailable
from bff.oauth.revocation_response import RevocationOutcome, parse_revocation_response


@pytest.mark.parametrize("body", [b"", b"{}", b"anything", b'{"error": "unsupported_token_type"}'])
def test_200_confirms_whatever_else_the_answer_says(body: bytes) -> None:
    assert parse_revocation_response(200, body) is RevocationOutcome.REVOKED


def test_a_kind_of_token_that_is_never_revoked_is_told_from_other_refusals() -> None:
    body = b'{"error": "unsupported_token_type", "error_description": "signed tokens end by themselves"}'
    assert parse_revocation_response(400, body) is RevocationOutcome.UNSUPPORTED_TOKEN_TYPE


@pytest.mark.parametrize("status", [204, 302, 400, 401, 403, 404])
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "invalid_client"}', b'{"error": []}'])
def test_any_other_answer_confirms_nothing(status: int, body: bytes) -> None:
    assert parse_revocation_response(status, body) is RevocationOutcome.REFUSED


@pytest.mark.parametrize("status", [429, 500, 503, 599])
def test_an_outage_asks_for_another_attempt(status: int) -> None:
    with pytest.raises(ProviderUnavailable) as caught:
        parse_revocation_response(status, b'{"error": "unsupported_token_type"}', retry_after="7")
    assert (caught.value.reason, caught.value.retry_after) == ("revocation.unavailable", 7.0)
