"""Reading the environment: defaults, names, files, and faults that come all at once and quote nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.errors import SettingsInvalid
from bff.settings import VARIABLES, Secret, load_settings
from tests.support.certificates import client_certificate
from tests.unit.settings.environments import KEY, complaints, environment, fault, faults, loaded

SECRETS = [variable.name for variable in VARIABLES if variable.secret]
CANARY = "cAnArY-9f27"


def test_a_complete_environment_gives_the_documented_defaults() -> None:
    settings = loaded()
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8080, 1)
    assert settings.scopes == ("openid", "profile", "email", "offline_access")
    assert (settings.session_idle, settings.session_max) == (1800.0, 28800.0)
    assert (settings.max_body, settings.upstream_timeout) == (64 * 2**20, 60.0)
    assert settings.client_secret == Secret("the-client's-secret")
    assert settings.login_params == ("login_hint", "ui_locales", "prompt", "acr_values", "max_age")
    assert (settings.metrics_port, settings.log_level, settings.log_format) == (None, "info", "json")
    assert settings.trusted_proxies == ()
    assert [route.prefix for route in settings.routes] == ["/api"]


def test_every_fault_is_reported_at_once() -> None:
    found = faults(
        BFF_PUBLIC_URL=None, BFF_PORT="eighty", BFF_SCOPES="openid,email", BFF_ISUER="x", BFF_SESSION_IDLE="9h"
    )
    assert [line.partition(":")[0] for line in found] == [
        *("BFF_ISUER", "BFF_PUBLIC_URL", "BFF_PORT", "BFF_SCOPES", "BFF_SESSION_IDLE"),
    ]


def test_each_fault_names_variable_rule_and_cure() -> None:
    assert fault(BFF_PORT="0") == (
        "BFF_PORT: must be a whole number from 1 to 65535. Write digits alone, for example 1."
    )


@pytest.mark.parametrize("name", ["BFF_PUBLIC_URL", "BFF_ISSUER", "BFF_CLIENT_ID"])
@pytest.mark.parametrize("value", [None, "", "  \t"])
def test_a_required_variable_that_is_missing_or_blank_is_a_fault(name: str, value: str | None) -> None:
    assert fault(**{name: value}).startswith(f"{name}: is required. ")


def test_a_blank_variable_counts_as_unset() -> None:
    settings = loaded(BFF_PORT="", BFF_AUDIENCE=" ", BFF_CLIENT_KEY="", BFF_CLIENT_SECRET_FILE="")
    assert (settings.port, settings.audience, settings.client_key) == (8080, None, None)


@pytest.mark.parametrize(
    "name, meant",
    [
        ("BFF_ISUER", "BFF_ISSUER"),
        ("BFF_PUBLICURL", "BFF_PUBLIC_URL"),
        ("BFF_CLIENT_SECRETS", "BFF_CLIENT_SECRET"),
        ("BFF_SECRET_KEY", "BFF_SECRET_KEYS"),
        ("BFF_SECRET_KEY_FILE", "BFF_SECRET_KEYS_FILE"),
        ("BFF_REDIS_URI", "BFF_REDIS_URL"),
    ],
)
def test_an_unknown_name_is_a_fault_that_says_what_may_have_been_meant(name: str, meant: str) -> None:
    assert fault(**{name: "x"}).endswith(f"is not a variable of the gateway. Did you mean {meant}?")


def test_an_unknown_name_like_no_other_is_a_fault_too() -> None:
    assert "is not a variable of the gateway. Remove it" in fault(BFF_ZZZZZZZZ="x")


def test_a_name_with_control_characters_is_not_echoed() -> None:
    line = fault(**{"BFF_\x1b[31mX\n": "x"})
    assert line.isprintable()


def test_names_without_our_prefix_do_not_matter() -> None:
    assert loaded(BBF_ISSUER="x", HTTP_PROXY="http://proxy:3128").port == 8080


def test_variables_that_kubernetes_adds_for_services_are_ignored() -> None:
    settings = loaded(
        BFF_PORT="tcp://10.96.0.12:80",
        BFF_PORT_80_TCP="tcp://10.96.0.12:80",
        BFF_PORT_80_TCP_ADDR="10.96.0.12",
        BFF_SERVICE_HOST="10.96.0.12",
        BFF_SERVICE_PORT="80",
        BFF_SERVICE_PORT_HTTP="80",
        BFF_METRICS_PORT="tcp://[fd00::1]:9090",
        BFF_METRICS_SERVICE_HOST="fd00::1",
    )
    assert (settings.port, settings.metrics_port) == (8080, None)


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_can_be_read_from_a_file_without_its_final_line_break(name: str) -> None:
    certificate, certificate_key = client_certificate()
    value = {
        "BFF_CLIENT_SECRET": "s3cret",
        "BFF_CLIENT_CERT_KEY": certificate_key.strip(),
        "BFF_CLIENT_KEY": '{"kty": "EC", "d": "x"}',
        "BFF_SECRET_KEYS": KEY,
        "BFF_REDIS_URL": "redis://redis",
    }[name]
    others = {
        "BFF_REDIS_URL": {"BFF_SECRET_KEYS": KEY},
        "BFF_CLIENT_CERT_KEY": {"BFF_CLIENT_CERT": certificate},
    }.get(name, {})
    settings = loaded({"/s": f"{value}\r\n".encode()}, **{name: None, f"{name}_FILE": "/s"}, **others)
    read = getattr(settings, name.removeprefix("BFF_").lower())
    assert (read[0] if isinstance(read, tuple) else read).reveal() == value


def test_a_secrets_inner_spaces_and_a_byte_order_mark_do_no_harm() -> None:
    settings = loaded({"/s": b"\xef\xbb\xbf a b \n"}, BFF_CLIENT_SECRET=None, BFF_CLIENT_SECRET_FILE="/s")
    assert settings.client_secret == Secret(" a b ")


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_given_twice_is_a_fault(name: str) -> None:
    (line,) = [line for line in faults({"/s": b"x"}, **{name: "x", f"{name}_FILE": "/s"}) if line.startswith(name)]
    assert line == f"{name}: is set twice, here and in {name}_FILE. Remove one of the two."


@pytest.mark.parametrize(
    "content, said",
    [(None, "no such file or directory"), (b"", "an empty file"), (b"\n", "an empty file"), (b"\xff\xfe", "not utf-8")],
)
def test_a_secrets_file_that_cannot_be_used_is_a_fault(content: bytes | None, said: str) -> None:
    contents = {} if content is None else {"/s": content}
    line = fault(contents, BFF_CLIENT_SECRET=None, BFF_CLIENT_SECRET_FILE="/s")
    assert line.startswith("BFF_CLIENT_SECRET: BFF_CLIENT_SECRET_FILE names ")
    assert said in line


def test_only_secrets_can_be_files() -> None:
    assert fault(BFF_ISSUER_FILE="/i") == (
        "BFF_ISSUER_FILE: is not a variable: only secrets can be given as files. Set BFF_ISSUER instead."
    )


def test_real_files_are_read(tmp_path: object) -> None:
    path = f"{tmp_path}/secret"
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("from a file\n")
    settings = load_settings(environment(BFF_CLIENT_SECRET=None, BFF_CLIENT_SECRET_FILE=path))
    assert settings.client_secret == Secret("from a file")


def test_no_secret_shows_in_the_settings_repr() -> None:
    settings = loaded(BFF_CLIENT_SECRET=CANARY, BFF_SECRET_KEYS=CANARY * 4, BFF_REDIS_URL=f"redis://:{CANARY}@redis/0")
    assert CANARY not in repr(settings)
    assert CANARY not in str(settings)


@pytest.mark.parametrize("name", [variable.name for variable in VARIABLES])
@pytest.mark.parametrize(
    "value",
    [
        f"{CANARY}\n",
        f"https://user:{CANARY}@host.example/",
        f"https://host.example/?token={CANARY}",
        f"redis://{CANARY}@:@/",
        f'{{"kty": "oct", "k": "{CANARY}"}}',
        f'[{{"prefix": "{CANARY}", "upstream": "https://:{CANARY}@x", "token": "{CANARY}"}}]',
    ],
)
def test_no_fault_quotes_a_value(name: str, value: str) -> None:
    assert not any(CANARY in line for line in complaints({name: value}))


@given(
    st.dictionaries(
        st.sampled_from([variable.name for variable in VARIABLES]),
        st.text().map(lambda text: f"{CANARY}{text}{CANARY}"),
    )
)
def test_whatever_the_values_are_faults_are_single_lines_that_quote_none(values: dict[str, str]) -> None:
    assert all(line.isprintable() and CANARY not in line for line in complaints(values))


def test_defaults_can_be_written_out() -> None:
    assert loaded(BFF_DPOP="off", BFF_RESPONSE_MODE="query", BFF_REQUEST_OBJECT="OFF").dpop == "off"


def test_in_memory_mode_without_keys_one_is_made() -> None:
    settings = load_settings(environment(), new_key=lambda: "made here")
    assert settings.secret_keys == (Secret("made here"),)
    assert len(load_settings(environment()).secret_keys[0].reveal().encode()) >= 32


def test_in_memory_mode_given_keys_are_used() -> None:
    assert loaded(BFF_SECRET_KEYS=KEY).secret_keys == (Secret(KEY),)


def test_who_uses_a_secret_can_refuse_it_at_the_start() -> None:
    def refuse(text: str) -> None:
        raise ValueError("has an unknown scheme" if text == "redis://redis" else "")

    with pytest.raises(SettingsInvalid) as raised:
        load_settings(environment(BFF_REDIS_URL="redis://redis", BFF_SECRET_KEYS=KEY), checks={"BFF_REDIS_URL": refuse})
    assert raised.value.faults == (
        "BFF_REDIS_URL: has an unknown scheme. docs/configuration.md has the forms it can take.",
    )


def test_a_check_that_stumbles_over_the_encoding_quotes_nothing() -> None:
    def stumble(text: str) -> None:
        text.encode("ascii")

    with pytest.raises(SettingsInvalid) as raised:
        load_settings(
            environment(BFF_REDIS_URL="redis://redis", BFF_SECRET_KEYS=KEY),
            checks={"BFF_REDIS_URL": lambda text: stumble(f"{text}é{CANARY}")},
        )
    assert CANARY not in str(raised.value)
