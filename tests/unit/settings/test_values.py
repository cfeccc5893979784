"""Single values: durations, sizes, lists, networks, names, paths."""

from __future__ import annotations

import ipaddress

import pytest

from bff.settings.fault import Unacceptable
from bff.settings.openid import PROTECTED_PARAMETERS
from bff.settings.values import duration, size
from tests.unit.settings.environments import fault, loaded


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("90", 90), ("0.5", 0.5), ("30s", 30), ("30m", 1800), ("8h", 28800), ("1d", 86400), ("1h30m", 5400),
        ("1.5h", 5400), (" 90 ", 90), ("2m5s", 125),
    ],
)  # fmt: skip
def test_durations_are_seconds_or_numbers_with_units(text: str, seconds: float) -> None:
    assert duration(0.1, 10 * 86400)(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "-1", "+1", "1 h", "h", "1w", "30M", "30m30", "1e3", "nan", "inf", "0x10", "٣", "1,5h", "0", "0.01", "99d"],
)
def test_what_is_no_duration_or_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(Unacceptable):
        duration(0.1, 10 * 86400)(text)


@pytest.mark.parametrize(
    "text, count",
    [
        ("1024", 1024), ("10MB", 10_000_000), ("64MiB", 67_108_864), ("64 mib", 67_108_864), ("1kB", 1000),
        ("1KiB", 1024), ("2GB", 2_000_000_000), ("2GiB", 2_147_483_648), ("512B", 512),
    ],
)  # fmt: skip
def test_sizes_are_bytes_or_numbers_with_units(text: str, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5MB", "MB", "1TB", "1M", "10mbit", "٣", "9999999GiB", "1e6"])
def test_what_is_no_size_or_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(Unacceptable):
        size(text)


@pytest.mark.parametrize("text", ["openid email", " openid   email "])
def test_scopes_are_separated_by_spaces(text: str) -> None:
    assert loaded(BFF_SCOPES=text).scopes == ("openid", "email")


@pytest.mark.parametrize(
    "text", ["openid,email", "OpenID email", "openid openid", 'openid "x"', "openid é", "open\\id"]
)
def test_scopes_that_would_silently_lose_the_id_token_or_are_malformed_are_refused(text: str) -> None:
    assert fault(BFF_SCOPES=text).startswith("BFF_SCOPES: ")


def test_scopes_without_openid_are_plain_oauth() -> None:
    assert loaded(BFF_SCOPES="read:timesheets https://api.example/.default").scopes == (
        *("read:timesheets", "https://api.example/.default"),
    )


@pytest.mark.parametrize("text", ["login_hint,kc_idp_hint", "login_hint kc_idp_hint"])
def test_login_parameters_are_names(text: str) -> None:
    assert loaded(BFF_LOGIN_PARAMS=text).login_params == ("login_hint", "kc_idp_hint")


def test_no_login_parameters_at_all_is_a_choice() -> None:
    assert loaded(BFF_LOGIN_PARAMS="none").login_params == ()


@pytest.mark.parametrize("name", sorted({*PROTECTED_PARAMETERS, "STATE", "code_challenge_x"}))
def test_a_parameter_that_the_protocol_relies_on_cannot_be_a_login_parameter(name: str) -> None:
    assert f"must not contain {name}" in fault(BFF_LOGIN_PARAMS=f"login_hint {name}")


@pytest.mark.parametrize("text", ["a=b", "a&b", "é", "a b a", "x" * 65])
def test_login_parameters_of_odd_characters_or_twice_are_refused(text: str) -> None:
    assert fault(BFF_LOGIN_PARAMS=text).startswith("BFF_LOGIN_PARAMS: ")


@pytest.mark.parametrize(("text", "name"), [("ES256", "ES256"), (" eddsa ", "EdDSA"), ("rs512", "RS512")])
def test_the_algorithm_of_id_tokens_is_one_name_in_whatever_case(text: str, name: str) -> None:
    assert loaded(BFF_ID_TOKEN_ALG=text).id_token_alg == name


def test_without_it_no_algorithm_is_chosen() -> None:
    assert loaded().id_token_alg is None


@pytest.mark.parametrize("text", ["none", "HS256", "RS256 ES256", "RS1", "dir"])
def test_an_algorithm_that_proves_nothing_or_does_not_exist_is_refused(text: str) -> None:
    assert fault(BFF_ID_TOKEN_ALG=text).startswith("BFF_ID_TOKEN_ALG: must be one of RS256, ")


def test_claims_may_be_uris() -> None:
    assert loaded(BFF_SESSION_CLAIMS="sub https://example.com/roles").session_claims == (
        *("sub", "https://example.com/roles"),
    )


def test_claims_of_other_scripts_are_refused() -> None:
    assert fault(BFF_SESSION_CLAIMS="sub naïve").startswith("BFF_SESSION_CLAIMS: ")


def test_trusted_proxies_are_networks_or_addresses() -> None:
    assert loaded(BFF_TRUSTED_PROXIES="10.0.0.0/8, 192.0.2.7 fd00::/8").trusted_proxies == (
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("192.0.2.7/32"),
        ipaddress.ip_network("fd00::/8"),
    )


@pytest.mark.parametrize(
    "text", ["0.0.0.0/0", "::/0", "10.0.0.1/8", "proxy.internal", "10.0.0.0/33", "10.0.0.0/8,10.0.0.0/8"]
)
def test_trusted_proxies_are_never_everybody_and_never_names(text: str) -> None:
    assert fault(BFF_TRUSTED_PROXIES=text).startswith("BFF_TRUSTED_PROXIES: ")


@pytest.mark.parametrize("text", ["0.0.0.0", "::", "[::1]", "localhost", "app-1.internal"])
def test_the_listen_address_is_an_address_or_name(text: str) -> None:
    assert loaded(BFF_HOST=text).host == text.strip("[]")


@pytest.mark.parametrize("text", ["localhost/", "a b", "http://localhost", "é"])
def test_a_listen_address_of_odd_characters_is_refused(text: str) -> None:
    assert fault(BFF_HOST=text).startswith("BFF_HOST: ")


@pytest.mark.parametrize("text", ["bff", "my.app_1", "A-Z!#$%&'*+^`|~"])
def test_a_cookie_name_is_a_token(text: str) -> None:
    assert loaded(BFF_COOKIE_NAME=text).cookie_name == text


@pytest.mark.parametrize(
    "text",
    [
        "a b", "a=b", "a;b", "a,b", "é", "a\tb", "(a)", '"a"', "x" * 65, "__Host-a", "__host-http-a", "__Secure-a",
        "__Http-a", "a-login-0123456789abcdef",
    ],
)  # fmt: skip
def test_a_cookie_name_that_is_no_token_or_brings_its_own_prefix_is_refused(text: str) -> None:
    assert fault(BFF_COOKIE_NAME=text).startswith("BFF_COOKIE_NAME: ")


@pytest.mark.parametrize("text", ["/", "/goodbye", "/a/b?c=d/e", "/bff/login", "/a.b"])
def test_the_post_logout_path_is_a_path_of_this_origin(text: str) -> None:
    assert loaded(BFF_POST_LOGOUT_PATH=text).post_logout_path == text


@pytest.mark.parametrize(
    "text", ["goodbye", "//evil.example", "/\\evil.example", "/a//b", "https://evil.example", "/a#b", "/a/../b",
             "/%2e%2e/b", "/a b", "/\t/evil.example", "/é", ".", "@evil.example"]
)  # fmt: skip
def test_a_post_logout_path_that_could_leave_this_origin_is_refused(text: str) -> None:
    assert fault(BFF_POST_LOGOUT_PATH=text).startswith("BFF_POST_LOGOUT_PATH: ")


@pytest.mark.parametrize("text", [" app", "app ", "é", "a\nb"])
def test_a_client_identifier_is_printable_ascii_without_spaces_around_it(text: str) -> None:
    assert fault(BFF_CLIENT_ID=text).startswith("BFF_CLIENT_ID: ")


def test_an_audience_may_be_anything_printable() -> None:
    assert loaded(BFF_AUDIENCE="https://api.example über").audience == "https://api.example über"
    assert fault(BFF_AUDIENCE="a\r\nb").startswith("BFF_AUDIENCE: ")


@pytest.mark.parametrize(
    "name, word", [("BFF_LOG_FORMAT", "TEXT"), ("BFF_LOG_LEVEL", "Debug"), ("BFF_PAR", " require ")]
)
def test_words_are_taken_in_any_case(name: str, word: str) -> None:
    assert getattr(loaded(**{name: word}), name.removeprefix("BFF_").lower()) == word.strip().lower()


@pytest.mark.parametrize(
    "name, word, meant",
    [
        ("BFF_CLIENT_AUTH", "client_secret_bassic", "client_secret_basic"),
        ("BFF_CLIENT_AUTH", "private_jwt_key", "private_key_jwt"),
        ("BFF_LOG_LEVEL", "warn", "warning"),
        ("BFF_PAR", "required", "require"),
    ],
)
def test_a_word_that_is_nearly_right_is_recognised(name: str, word: str, meant: str) -> None:
    assert fault(**{name: word}).endswith(f"Did you mean {meant}?")


@pytest.mark.parametrize("text", ["0", "65536", "-1", "8080.0", "١٢", "0x50"])
def test_ports_are_whole_numbers_in_range(text: str) -> None:
    assert fault(BFF_PORT=text).startswith("BFF_PORT: ")


def test_the_metrics_port_can_be_off() -> None:
    assert loaded(BFF_METRICS_PORT="OFF").metrics_port is None
    assert loaded(BFF_METRICS_PORT="9090").metrics_port == 9090


@pytest.mark.parametrize("text, value", [("on", True), ("ON", True), (" off ", False)])
def test_a_switch_is_on_or_off(text: str, value: bool) -> None:
    assert loaded(BFF_ID_TOKEN_HINT=text).id_token_hint is value


@pytest.mark.parametrize("text", ["yes", "1", "true", "none"])
def test_a_switch_is_nothing_else(text: str) -> None:
    assert fault(BFF_ID_TOKEN_HINT=text).startswith("BFF_ID_TOKEN_HINT: must be ")


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("access_type=offline&prompt=consent", (("access_type", "offline"), ("prompt", "consent"))),
        ("organization=org_1", (("organization", "org_1"),)),
        ("acr_values=a%20b+c&max_age=60", (("acr_values", "a b c"), ("max_age", "60"))),
    ],
)
def test_parameters_of_every_login_are_written_as_in_a_query(
    text: str, parameters: tuple[tuple[str, str], ...]
) -> None:
    assert loaded(BFF_AUTHORIZATION_PARAMS=text).authorization_params == parameters


@pytest.mark.parametrize(
    "text",
    [
        "access_type", "=x", "a=", "a=1&a=2", "a b=1", "a=%0a", "a=%ff", "prompt=none", "prompt=login+none",
        "max_age=x", "max_age=-1", "?a=1", "a=1;b=2&c",
    ],
)  # fmt: skip
def test_what_is_no_such_parameter_is_a_fault(text: str) -> None:
    assert fault(BFF_AUTHORIZATION_PARAMS=text).startswith("BFF_AUTHORIZATION_PARAMS: ")


@pytest.mark.parametrize("name", sorted(PROTECTED_PARAMETERS))
def test_no_parameter_of_every_login_replaces_the_gateways_own(name: str) -> None:
    for spelling in (name, name.upper()):
        assert f"must not contain {spelling}" in fault(BFF_AUTHORIZATION_PARAMS=f"{spelling}=x")


@pytest.mark.parametrize(
    "url", ["https://id.example.com/logout?client_id=a&logout_uri=https%3A%2F%2Fapp%2F", "http://localhost:9000/out"]
)
def test_a_logout_url_is_kept_as_it_is(url: str) -> None:
    assert loaded(BFF_LOGOUT_URL=url).logout_url == url


@pytest.mark.parametrize(
    "url", ["http://id.example.com/logout", "//id.example.com", "javascript:x", "https://u@h/", "https://h/#x", "h/x"]
)
def test_what_is_no_page_of_a_provider_is_no_logout_url(url: str) -> None:
    assert fault(BFF_LOGOUT_URL=url).startswith("BFF_LOGOUT_URL: ")
