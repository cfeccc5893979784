"""The provider: every way in which it can fail is told in an operator's words."""

from __future__ import annotations

import pytest

from bff.check.findings import Finding, Level
from bff.check.provider_checks import ProviderChecks, ProviderFindings, place_of
from bff.check.reach import Unreachable
from bff.errors import ClientRefused, GatewayError, InvalidProviderAnswer, LoginFailed, ProviderUnavailable
from tests.support.provider_settings import provider_settings
from tests.unit.check.facts import FakeInspection, FakeNetwork, by_id, full_metadata, worse_than_good

UNUSABLE = Level.UNUSABLE
PROVIDER = "provider.example:443"


async def examined(
    inspection: FakeInspection, network: FakeNetwork | None = None, /, **settings: str
) -> ProviderFindings:
    found = ProviderFindings()
    network = network or FakeNetwork()
    await ProviderChecks(provider_settings(**settings), inspection, network.connect, lambda: 0.0).run(found)
    return found


async def only(inspection: FakeInspection, network: FakeNetwork | None = None, /, **settings: str) -> Finding:
    """Return the one finding that is not good."""
    (finding,) = [
        finding
        for finding in (await examined(inspection, network, **settings)).findings
        if finding.level is not Level.GOOD
    ]
    return finding


async def test_a_provider_without_fault_is_good_throughout() -> None:
    found = await examined(FakeInspection())
    assert worse_than_good(found.findings) == {}
    assert found.metadata is not None
    assert {"provider.metadata", "provider.keys", "provider.client", "provider.registration", "provider.clock"} <= set(
        by_id(found.findings)
    )


@pytest.mark.parametrize(
    "error,found,variable,words",
    [
        (ProviderUnavailable("provider.timeout"), "metadata", "BFF_ISSUER", "does not answer in time"),
        (ProviderUnavailable("provider.network"), "metadata", "BFF_ISSUER", "broke the connection off"),
        (ProviderUnavailable("metadata.status"), "metadata", "BFF_ISSUER", "no metadata"),
        (InvalidProviderAnswer("metadata.content_type"), "metadata", "BFF_ISSUER", "not JSON"),
        (InvalidProviderAnswer("metadata.malformed"), "metadata", "BFF_ISSUER", "well-formed"),
        (InvalidProviderAnswer("metadata.token_endpoint"), "metadata", "BFF_ISSUER", "lack token_endpoint"),
        (InvalidProviderAnswer("metadata.jwks_uri"), "metadata", "BFF_SCOPES", "jwks_uri"),
        (InvalidProviderAnswer("metadata.code_challenge_methods_supported"), "pkce", "BFF_ISSUER", "S256"),
        (
            InvalidProviderAnswer("metadata.id_token_signing_alg_values_supported"),
            *("algorithms", "BFF_ISSUER", "nothing the gateway accepts"),
        ),
        (InvalidProviderAnswer("provider.too_large"), "metadata", "BFF_ISSUER", "endless"),
        (InvalidProviderAnswer("something.new"), "metadata", "BFF_ISSUER", "something.new"),
    ],
)
async def test_metadata_that_cannot_be_had_leave_one_finding(
    error: GatewayError, found: str, variable: str, words: str
) -> None:
    inspection = FakeInspection(metadata=error, clock_offset=None)
    inspection.clock_offset = None
    network = FakeNetwork()
    (finding,) = (await examined(inspection, network)).findings
    assert (finding.id, finding.level, finding.variable) == (f"provider.{found}", UNUSABLE, variable)
    assert words in finding.seen
    assert inspection.asked == ["metadata"]
    assert network.tried == []


async def test_another_issuer_is_shown() -> None:
    error = InvalidProviderAnswer("metadata.issuer")
    finding = await only(FakeInspection(metadata=error, stated_issuer="https://provider.example/\x1b[31m"))
    assert finding.id == "provider.issuer"
    assert "“https://provider.example/?[31m”" in finding.seen
    assert "none at all" in (await only(FakeInspection(metadata=error, stated_issuer=None))).seen


@pytest.mark.parametrize("reason", ["connect", "connect_timeout", "certificate", "protocol"])
async def test_why_no_connection_is_made_is_found_out(reason: str) -> None:
    network = FakeNetwork({PROVIDER: Unreachable("has a name that cannot be resolved")})
    finding = await only(FakeInspection(metadata=ProviderUnavailable(f"provider.{reason}")), network)
    assert finding.seen == f"{PROVIDER} has a name that cannot be resolved"
    assert finding.variable == ("BFF_CA_FILE" if reason == "certificate" else "BFF_ISSUER")


async def test_a_connection_that_works_the_second_time_leaves_what_was_seen_first() -> None:
    finding = await only(FakeInspection(metadata=ProviderUnavailable("provider.connect")))
    assert finding.seen == "The provider cannot be connected to"


@pytest.mark.parametrize(
    "error,words",
    [
        (ProviderUnavailable("keys.status"), "not at the address"),
        (InvalidProviderAnswer("keys.malformed"), "malformed"),
        (ProviderUnavailable("provider.connect"), "The host of the key set cannot be connected to"),
    ],
)
async def test_a_key_set_that_cannot_be_had_is_told(error: GatewayError, words: str) -> None:
    finding = await only(FakeInspection(keys=error))
    assert (finding.id, finding.level) == ("provider.keys", UNUSABLE)
    assert words in finding.seen


async def test_plain_oauth_needs_no_keys() -> None:
    inspection = FakeInspection()
    found = await examined(inspection, scopes="profile offline_access")
    assert worse_than_good(found.findings) == {}
    assert "keys" not in inspection.asked


@pytest.mark.parametrize(
    "settings,error,level,variable,words",
    [
        ({}, ClientRefused("token.invalid_client"), UNUSABLE, "BFF_CLIENT_SECRET", "invalid_client"),
        ({}, ClientRefused("token.unauthorized_client"), UNUSABLE, "BFF_CLIENT_ID", "authorization code grant"),
        # As Keycloak calls a wrong secret.
        ({}, ClientRefused("token.unauthorized_client"), UNUSABLE, "BFF_CLIENT_ID", "BFF_CLIENT_SECRET"),
        ({}, ClientRefused("token.invalid_request"), Level.NOTE, "BFF_CLIENT_ID", "invalid_request"),
        ({}, ProviderUnavailable("provider.timeout"), UNUSABLE, "BFF_ISSUER", "token endpoint does not answer"),
        ({}, ProviderUnavailable("token.unavailable"), UNUSABLE, "BFF_ISSUER", "cannot serve now"),
        ({}, InvalidProviderAnswer("token.malformed"), Level.NOTE, "BFF_CLIENT_ID", "token.malformed"),
    ],
)
async def test_the_clients_credentials_are_tried(
    settings: dict[str, str], error: GatewayError, level: Level, variable: str, words: str
) -> None:
    finding = await only(FakeInspection(try_client=error), **settings)
    assert (finding.id, finding.level, finding.variable) == ("provider.client", level, variable)
    assert words in f"{finding.seen} {finding.cure}"


async def test_a_refused_key_names_the_key(client_key: str) -> None:
    inspection = FakeInspection(try_client=ClientRefused("token.invalid_client"))
    finding = await only(inspection, client_auth="private_key_jwt", client_key=client_key)
    assert finding.variable == "BFF_CLIENT_KEY"


async def test_a_key_of_the_wrong_kind_is_told_once(client_key: str) -> None:
    metadata = full_metadata(token_endpoint_auth_signing_alg_values_supported=["RS256"])
    refused = ClientRefused("client_key.algorithm")
    inspection = FakeInspection(metadata=metadata, try_client=refused)
    finding = await only(inspection, client_auth="private_key_jwt", client_key=client_key)
    assert finding.id == "provider.client_key"


async def test_a_provider_that_gives_tokens_for_a_made_up_code_is_not_to_be_used() -> None:
    finding = await only(FakeInspection(try_client=False))
    assert (finding.id, finding.level) == ("provider.client", UNUSABLE)


async def test_a_method_the_metadata_do_not_list_but_the_provider_accepts_is_not_the_end() -> None:
    metadata = full_metadata(token_endpoint_auth_methods_supported=["private_key_jwt"])
    finding = await only(FakeInspection(metadata=metadata))
    assert (finding.id, finding.level) == ("provider.client_authentication", Level.DEGRADED)
    assert "though it accepted it now" in finding.seen
    refused = FakeInspection(metadata=metadata, try_client=ClientRefused("token.invalid_client"))
    levels = worse_than_good((await examined(refused)).findings)
    assert levels == {"provider.client_authentication": UNUSABLE, "provider.client": UNUSABLE}


@pytest.mark.parametrize(
    "error,variable,words",
    [
        (ClientRefused("par.invalid_scope"), "BFF_SCOPES", "scopes"),
        (ClientRefused("par.invalid_target"), "BFF_RESOURCE", "resource"),
        (ClientRefused("par.invalid_request_object"), "BFF_REQUEST_OBJECT", "request_object_signing_alg"),
        (ClientRefused("par.request_not_supported"), "BFF_REQUEST_OBJECT", "turn signing off"),
        (ClientRefused("par.invalid_request"), "BFF_PUBLIC_URL", "https://app.example.com/bff/callback"),
        (ClientRefused("par.invalid_request"), "BFF_PUBLIC_URL", "the scopes of BFF_SCOPES"),
        (LoginFailed("par.unknown_error"), "BFF_PUBLIC_URL", "https://app.example.com/bff/callback"),
        (ProviderUnavailable("provider.timeout"), "BFF_ISSUER", "endpoint of pushed requests"),
    ],
)
async def test_a_pushed_request_is_tried(error: GatewayError, variable: str, words: str) -> None:
    finding = await only(FakeInspection(try_pushed_request=error))
    assert (finding.id, finding.level, finding.variable) == ("provider.registration", UNUSABLE, variable)
    assert words in f"{finding.seen} {finding.cure}"


async def test_nothing_is_pushed_where_it_is_off_or_cannot_work() -> None:
    off = FakeInspection()
    await examined(off, par="off")
    contradiction = FakeInspection(metadata=full_metadata(userinfo_endpoint=...))
    await examined(contradiction, userinfo="on")
    without = FakeInspection(metadata=full_metadata(pushed_authorization_request_endpoint=...))
    await examined(without)
    assert all("try_pushed_request" not in inspection.asked for inspection in (off, contradiction, without))


async def test_other_hosts_of_the_metadata_are_tried_and_only_those() -> None:
    metadata = full_metadata(
        userinfo_endpoint="https://users.example:8443/me", revocation_endpoint="https://[2001:db8::1]/revoke"
    )
    network = FakeNetwork({"[2001:db8::1]:443": Unreachable("has a certificate that is not accepted", is_trust=True)})
    found = await examined(FakeInspection(metadata=metadata), network)
    assert sorted(network.tried) == ["[2001:db8::1]:443", "users.example:8443"]
    seen = [(finding.subject, finding.level, finding.variable) for finding in found.findings if finding.subject]
    assert seen == [
        ("[2001:db8::1]:443", Level.DEGRADED, "BFF_CA_FILE"),
        ("users.example:8443", Level.GOOD, "BFF_ISSUER"),
    ]
    network = FakeNetwork({"users.example:8443": Unreachable("refuses connections")})
    finding = await only(FakeInspection(metadata=metadata), network)
    assert (finding.variable, finding.seen) == ("BFF_ISSUER", "A host that the metadata name refuses connections")


async def test_a_clock_that_is_not_told_is_not_judged() -> None:
    inspection = FakeInspection()
    inspection.clock_offset = None
    assert "provider.clock" not in by_id((await examined(inspection)).findings)


def test_a_url_without_port_leads_to_that_of_its_scheme() -> None:
    assert (place_of("http://localhost/x").port, place_of("https://localhost/x").port) == (80, 443)
