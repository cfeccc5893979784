"""Secrets: what they must be, and that they never show."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bff.oauth.signing_key import parse_signing_keys
from bff.settings import Secret
from bff.stores.redis_address import parse_redis_address
from tests.support.certificates import authority_certificate
from tests.unit.settings.environments import KEY, fault, loaded

EC_JWK = {"kty": "EC", "crv": "P-256", "x": "x", "y": "y", "d": "d"}


def private_pem(password: bytes | None = None) -> str:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption).decode()


@pytest.mark.parametrize("show", [repr, str, "{}".format, "%s".__mod__, lambda secret: f"{secret!r:>5}", ascii])
def test_a_secret_does_not_show_itself(show: object) -> None:
    assert "hunter2" not in show(Secret("hunter2"))  # type: ignore[operator]


def test_a_secret_is_revealed_by_name_alone() -> None:
    assert Secret("hunter2").reveal() == "hunter2"


def test_a_secret_does_not_show_in_a_log_record(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("with %s and %r", Secret("hunter2"), [Secret("hunter2")])
    assert "hunter2" not in caplog.text


def test_a_secret_is_not_serialised_to_json() -> None:
    with pytest.raises(TypeError):
        json.dumps({"secret": Secret("hunter2")})


def test_secrets_are_equal_by_what_they_hold() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_settings_can_be_copied_and_sent_to_worker_processes() -> None:
    settings = loaded(BFF_SECRET_KEYS=KEY)
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert copy.deepcopy(settings) == settings
    assert "Secret(***)" in repr(dataclasses.asdict(settings))


@pytest.mark.parametrize(
    "text", [f"{KEY} {'l' * 32}", f"{KEY},{'l' * 32}", f"{KEY}\n{'l' * 32}\n", f" {KEY} , {'l' * 32}"]
)
def test_secret_keys_are_a_list_with_the_newest_first(text: str) -> None:
    assert loaded(BFF_SECRET_KEYS=text).secret_keys == (Secret(KEY), Secret("l" * 32))


@pytest.mark.parametrize("text", ["k" * 31, f"{KEY} short", f"{KEY} {KEY}", ",", "é" * 15])
def test_secret_keys_that_are_short_repeated_or_missing_are_refused(text: str) -> None:
    assert fault(BFF_SECRET_KEYS=text).startswith("BFF_SECRET_KEYS: ")


def test_the_length_of_a_key_is_counted_in_bytes() -> None:
    assert loaded(BFF_SECRET_KEYS="é" * 16).secret_keys == (Secret("é" * 16),)


@pytest.mark.parametrize("text", ["a\nb", "a\x00b", "a\x7fb"])
def test_a_client_secret_with_control_characters_is_refused(text: str) -> None:
    assert fault(BFF_CLIENT_SECRET=text).startswith("BFF_CLIENT_SECRET: ")


@pytest.mark.parametrize(
    "text",
    [json.dumps(EC_JWK), json.dumps({"keys": [EC_JWK]}), json.dumps({"keys": [EC_JWK, {"kty": "oct", "use": "enc"}]})],
)
def test_a_client_key_is_a_jwk_or_a_jwk_set(text: str) -> None:
    assert loaded(BFF_CLIENT_AUTH="private_key_jwt", BFF_CLIENT_KEY=f" {text}\n").client_key == Secret(text)


def test_a_client_key_in_pem_may_have_its_line_breaks_written_out() -> None:
    pem = private_pem()
    for text in (pem, pem.replace("\n", "\\n"), pem.replace("\n", "\r\n")):
        key = loaded(BFF_CLIENT_AUTH="private_key_jwt", BFF_CLIENT_KEY=text).client_key
        assert key is not None
        assert parse_signing_keys(key.reveal())


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", '{"kty": "oct", "k": "x", "d": "x"}', '{"kty": "EC", "x": "x"}', '{"keys": []}', '{"keys": 1}',
        '{"keys": ["x"]}', "not a key", "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----",
        '{"a":' * 5000,
    ],
)  # fmt: skip
def test_a_client_key_that_is_no_private_key_is_refused(text: str) -> None:
    assert fault(BFF_CLIENT_KEY=text).startswith("BFF_CLIENT_KEY: ")


def test_an_encrypted_client_key_is_refused_with_a_cure() -> None:
    assert "passphrase" in fault(BFF_CLIENT_KEY=private_pem(b"x"))


def test_the_ca_file_must_hold_certificates() -> None:
    pem = authority_certificate()
    assert str(loaded({"/ca.pem": pem}, BFF_CA_FILE="/ca.pem").ca_file) == "/ca.pem"
    assert fault({"/ca.pem": b"hello"}, BFF_CA_FILE="/ca.pem").startswith(
        "BFF_CA_FILE: must be a file of CA certificates"
    )
    assert fault(BFF_CA_FILE="/ca.pem").startswith("BFF_CA_FILE: it names a file that cannot be read")


REDIS_URLS = [
    "redis://redis",
    "redis://redis:6379/0",
    "redis://:p%40ss@redis/15",
    "redis://user:password@10.0.0.7:6380",
    "rediss://[fd00::1]:6379/1",
    "valkey://valkey",
    "valkeys://valkey:6379",
    "unix:///run/redis.sock",
    "unix://:password@/run/redis.sock?db=2",
    "unix:///run/redis.sock?db=2&username=u&password=p",
    "redis+sentinel://s1:26379,s2,[fd00::3]:26379/mymaster/0",
    "rediss+sentinel://user:password@s1/mymaster?sentinel_username=u&sentinel_password=p",
    "valkey+sentinel://s1/mymaster",
    "redis+cluster://n1:6379,n2:6379",
    "rediss+cluster://:password@n1",
    "valkeys+cluster://n1",
]


@pytest.mark.parametrize("url", REDIS_URLS)
def test_every_form_of_redis_url_is_taken_and_understood_by_the_store(url: str) -> None:
    settings = loaded(BFF_REDIS_URL=url, BFF_SECRET_KEYS=KEY)
    assert settings.redis_url == Secret(url)
    assert parse_redis_address(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis", "redis:6379", "http://redis", "redi://redis", "redis://", "redis://:6379", "redis://redis:0",
        "redis://redis:99999", "redis://redis/x", "redis://redis/0/1", "redis://a,b", "redis://user@redis",
        "redis://:p@ss@redis", "redis://:p/ss@redis", "redis://:p#ss@redis", "redis://redis?ssl_cert_reqs=none",
        "rediss://redis?ssl_check_hostname=false", "redis://redis/0?db=1", "unix://run/redis.sock", "unix:///x?db=a",
        "redis+sentinel://s1", "redis+sentinel://s1/", "redis+sentinel://s1/m/x", "redis+cluster://n1/1",
        "redis://re dis", "redis://é",
    ],
)  # fmt: skip
def test_a_redis_url_of_another_shape_is_refused(url: str) -> None:
    assert fault(BFF_REDIS_URL=url, BFF_SECRET_KEYS=KEY).startswith("BFF_REDIS_URL: ")
