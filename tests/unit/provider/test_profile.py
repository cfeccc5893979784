"""What the provider is asked under a security profile, and what is refused of it (FAPI 2.0)."""

from __future__ import annotations

import json
import secrets
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bff.errors import ClientRefused, InvalidProviderAnswer, LoginFailed
from bff.oauth.base64url import decode
from bff.oauth.dpop import new_dpop_key
from bff.oauth.jws import InvalidToken
from bff.provider import Provider
from tests.support.certificates import client_certificate
from tests.support.provider_double import ProviderDouble
from tests.support.signed_tokens import CLIENT_ID, ISSUER, key_for
from tests.support.virtual_time import clock, virtual_time
from tests.unit.provider.test_provider import provider_of, transaction

KEY = json.dumps({**key_for("PS256").as_dict(private=True), "kid": "k1"})
DPOP_KEY = new_dpop_key(secrets.token_bytes).encoded


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


@pytest.fixture
def double() -> ProviderDouble:
    metadata = {
        "pushed_authorization_request_endpoint": f"{ISSUER}/par",
        "dpop_signing_alg_values_supported": ["ES256"],
        "id_token_signing_alg_values_supported": ["RS256", "PS256"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "PS256"],
        "authorization_response_iss_parameter_supported": True,
    }
    changes = {"token_type": "DPoP"}
    return ProviderDouble(clock=clock, metadata=metadata, token_changes=changes, signing_algorithm="PS256")


def under(double: ProviderDouble, profile: str = "fapi2", **variables: str) -> Provider:
    return provider_of(double, profile=profile, client_key=KEY, client_secret="", **variables)


def asked(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


async def log_in(provider: Provider, *, answer: bytes = b"") -> None:
    login = transaction(dpop_key=DPOP_KEY)
    answer = answer or f"code=code-1&state=state-1&iss={ISSUER}".encode()
    await provider.redeem(await provider.validated_code(answer, login), login)


async def test_the_browser_carries_nothing_but_the_client_and_the_reference(double: ProviderDouble) -> None:
    url = await under(double).login_url(transaction(dpop_key=DPOP_KEY), {})
    assert asked(url) == {"client_id": [CLIENT_ID], "request_uri": ["urn:example:pushed"]}
    (form,) = double.forms("/par")
    assert form["code_challenge_method"] == "S256"
    header = json.loads(decode(form["client_assertion"].split(".")[0]))
    claims = json.loads(decode(form["client_assertion"].split(".")[1]))
    assert (header["alg"], claims["aud"]) == ("PS256", ISSUER)


async def test_with_message_signing_what_is_pushed_is_signed(double: ProviderDouble) -> None:
    double.metadata["request_object_signing_alg_values_supported"] = ["RS256", "PS256"]
    url = await under(double, "fapi2-message-signing").login_url(transaction(dpop_key=DPOP_KEY), {"login_hint": "ada"})
    assert asked(url) == {"client_id": [CLIENT_ID], "request_uri": ["urn:example:pushed"]}
    (form,) = double.forms("/par")
    assert set(form) == {"client_id", "request", "client_assertion", "client_assertion_type"}
    claims = json.loads(decode(form["request"].split(".")[1]))
    assert (claims["aud"], claims["response_mode"], claims["login_hint"]) == (ISSUER, "jwt", "ada")
    assert "dpop_jkt" in claims


async def test_a_signed_request_that_is_not_pushed_travels_in_the_browser(double: ProviderDouble) -> None:
    provider = provider_of(double, request_object="signed", client_key=KEY, par="off")
    url = await provider.login_url(transaction(), {})
    assert set(asked(url)) == {"client_id", "request"}


async def test_a_login_goes_through(double: ProviderDouble) -> None:
    await log_in(under(double))
    assert double.calls["/token"] == 1


async def test_the_answer_must_name_its_issuer_whatever_the_metadata_say(double: ProviderDouble) -> None:
    double.metadata["authorization_response_iss_parameter_supported"] = ...
    with pytest.raises(LoginFailed) as caught:
        await log_in(under(double), answer=b"code=code-1&state=state-1")
    assert caught.value.reason == "callback.issuer_missing"
    assert double.calls["/token"] == 0


async def test_an_id_token_signed_with_another_algorithm_is_refused_though_the_metadata_list_it(
    double: ProviderDouble,
) -> None:
    double.signing_algorithm = "RS256"
    with pytest.raises(InvalidToken) as caught:
        await log_in(under(double))
    assert caught.value.reason == "id_token.algorithm"


async def test_a_provider_that_signs_with_nothing_permitted_is_of_no_use(double: ProviderDouble) -> None:
    double.metadata["id_token_signing_alg_values_supported"] = ["RS256", "ES384"]
    with pytest.raises(InvalidProviderAnswer):
        await under(double).metadata()


async def test_our_own_key_signs_with_nothing_else_either(double: ProviderDouble) -> None:
    double.metadata["token_endpoint_auth_signing_alg_values_supported"] = ["RS256"]
    with pytest.raises(ClientRefused):
        await under(double).login_url(transaction(dpop_key=DPOP_KEY), {})


async def fault_of(double: ProviderDouble, provider: Provider) -> str:
    await provider.metadata()
    with pytest.raises(ClientRefused) as caught:
        await provider.login_url(transaction(dpop_key=DPOP_KEY), {})
    assert provider.not_ready is not None
    assert double.calls["/par"] == 0
    return caught.value.reason


async def test_without_the_endpoint_for_pushed_requests_there_is_no_login(double: ProviderDouble) -> None:
    double.metadata["pushed_authorization_request_endpoint"] = ...
    assert await fault_of(double, under(double)) == "par.no_endpoint"


async def test_a_provider_that_takes_no_proofs_of_ours_is_not_asked(double: ProviderDouble) -> None:
    double.metadata["dpop_signing_alg_values_supported"] = ["RS256"]
    assert await fault_of(double, under(double)) == "dpop.algorithm"


async def test_where_the_certificate_binds_tokens_the_provider_must_say_so(
    double: ProviderDouble,
) -> None:
    certificate, key = client_certificate()
    provider = under(double, client_cert=certificate, client_cert_key=key)
    assert await fault_of(double, provider) == "profile.unbound_tokens"
    double.metadata["tls_client_certificate_bound_access_tokens"] = True
    double.token_changes = {"token_type": "Bearer"}
    await log_in(under(double, client_cert=certificate, client_cert_key=key))


@pytest.mark.parametrize(
    "said, variables, expected",
    [
        ({"require_signed_request_object": True}, {}, "request_object.required"),
        (
            {"request_parameter_supported": False},
            {"request_object": "signed", "client_key": KEY, "par": "off"},
            "request_object.unsupported",
        ),
    ],
)
async def test_what_the_provider_says_of_signed_requests_counts(
    double: ProviderDouble, said: dict[str, Any], variables: dict[str, str], expected: str
) -> None:
    double.metadata |= said
    assert await fault_of(double, provider_of(double, **variables)) == expected
