"""Routes: three forms, one meaning; prefixes that do not collide; unknown and unbuilt fields refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bff.settings import Route, parse_upstream_url
from bff.settings.token_target import TokenTarget
from tests.unit.settings.environments import fault, faults, loaded

API = {"prefix": "/api", "upstream": "https://api.example.com/v1"}


def routes(*tables: dict[str, Any], **variables: str | None) -> tuple[Route, ...]:
    variables.setdefault("BFF_UPSTREAM_URL", None)
    return loaded(BFF_ROUTES=json.dumps(tables), **variables).routes


def route(**fields: Any) -> Route:
    (only,) = routes({**API, **fields})
    return only


def route_fault(**fields: Any) -> str:
    table = {name: value for name, value in {**API, **fields}.items() if value is not None}
    return fault(BFF_UPSTREAM_URL=None, BFF_ROUTES=json.dumps([table]))


def test_the_short_form_is_one_route() -> None:
    settings = loaded(BFF_API_PREFIX="/backend/", BFF_UPSTREAM_TIMEOUT="5s", BFF_MAX_BODY="1MB")
    assert settings.routes == (
        Route(
            prefix="/backend",
            upstream=parse_upstream_url("https://api.example.com/v1"),
            timeout=5.0,
            max_body=1_000_000,
        ),
    )


def test_without_any_form_there_are_no_routes() -> None:
    assert loaded(BFF_UPSTREAM_URL=None).routes == ()


def test_toml_and_json_mean_the_same() -> None:
    toml = b"""
        [[routes]]
        prefix = "/api"
        upstream = "https://api.example.com/v1"
        methods = ["GET", "head"]
        token = "user"
        require_scope = "read:timesheets create:timesheets"
        timeout = "5m"
        max_body = "1MiB"
        set_cookie = ["basket"]

        [[routes]]
        prefix = "/api/public"
        upstream = "http://public:8000"
        token = "none"
        timeout = 1.5
        max_body = 1024
        websocket = false
    """
    from_toml = loaded({"/r.toml": toml}, BFF_UPSTREAM_URL=None, BFF_ROUTES_FILE="/r.toml").routes
    tables = [
        {
            "prefix": "/api/", "upstream": "https://api.example.com/v1/", "methods": "GET HEAD",
            "require_scope": ["read:timesheets", "create:timesheets"], "timeout": 300, "max_body": 1048576,
            "set_cookie": "basket", "acr_values": None,
        },
        {
            "prefix": "/api/public", "upstream": "http://public:8000", "token": "none", "timeout": "1.5s",
            "max_body": 1024,
        },
    ]  # fmt: skip
    assert routes(*tables) == from_toml
    assert loaded(BFF_UPSTREAM_URL=None, BFF_ROUTES=json.dumps({"routes": tables})).routes == from_toml
    first, second = from_toml
    assert (first.methods, first.token, first.timeout) == (frozenset({"GET", "HEAD"}), "user", 300.0)
    assert first.require_scope == ("read:timesheets", "create:timesheets")
    assert (second.token, second.timeout, second.max_body, second.set_cookie) == ("none", 1.5, 1024, ())


def test_a_route_takes_what_it_does_not_say_from_the_variables() -> None:
    (only,) = routes(API, BFF_UPSTREAM_TIMEOUT="7s", BFF_MAX_BODY="9")
    assert (only.timeout, only.max_body, only.token) == (7.0, 9, "user")
    assert only.methods == {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    assert only.name == "/api"


def test_all_three_forms_add_up() -> None:
    toml = b'[[routes]]\nprefix = "/b"\nupstream = "http://b"'
    settings = loaded(
        {"/r.toml": toml}, BFF_ROUTES_FILE="/r.toml", BFF_ROUTES='[{"prefix": "/c", "upstream": "http://c"}]'
    )
    assert [each.prefix for each in settings.routes] == ["/api", "/b", "/c"]


def test_a_prefix_may_lie_within_another() -> None:
    assert len(routes(API, {**API, "prefix": "/api/v2"}, {**API, "prefix": "/apiv2"})) == 3


@pytest.mark.parametrize("again", ["/api", "/api/"])
def test_no_prefix_comes_twice_in_whatever_form(again: str) -> None:
    line = fault(BFF_ROUTES=json.dumps([{**API, "prefix": again}]))
    assert line.startswith("BFF_ROUTES route 1 (/api): prefix /api is already that of BFF_UPSTREAM_URL. ")


@pytest.mark.parametrize(
    "prefix", ["/bff", "/bff/", "/bff/api", "/BFF/api", "/Bff", "/healthz", "/healthz/x", "/readyz", "/readyz/x"]
)
def test_a_prefix_in_the_gateways_own_paths_is_refused(prefix: str) -> None:
    assert "which is the gateway's own" in route_fault(prefix=prefix)
    assert fault(BFF_API_PREFIX=prefix).startswith("BFF_API_PREFIX: must not lie in ")


@pytest.mark.parametrize("prefix", ["/bffx", "/healthzz", "/api/bff", "/a.b/c-d_e~f"])
def test_a_prefix_that_only_resembles_them_is_not(prefix: str) -> None:
    assert route(prefix=prefix).prefix == prefix


@pytest.mark.parametrize(
    "prefix",
    ["", "/", "//", "api", "/a//b", "/a/../b", "/.", "/a/.", "/a%2fb", "/a b", "/a?b", "/a#b", "/é", "/a\\b", "/a*", 1],
)
def test_a_prefix_is_made_of_plain_whole_segments(prefix: object) -> None:
    assert "prefix must" in route_fault(prefix=prefix)


@pytest.mark.parametrize(
    "name, meant", [("upsteam", "upstream"), ("method", "methods"), ("require_scopes", "require_scope")]
)
def test_an_unknown_field_is_a_fault_that_says_what_may_have_been_meant(name: str, meant: str) -> None:
    assert (
        route_fault(**{name: "x"}) == f"BFF_ROUTES route 1 (/api): has the unknown field {name}. Did you mean {meant}?"
    )


def test_an_unknown_field_like_no_other_is_a_fault_that_is_not_echoed_if_it_is_odd() -> None:
    assert "The fields are prefix" in route_fault(zzz=1)
    assert route_fault(**{"a b\n": 1}).isprintable()


@pytest.mark.parametrize("name", ["prefix", "upstream"])
def test_a_route_needs_prefix_and_upstream(name: str) -> None:
    assert f"needs {name}" in route_fault(**{name: None})


@pytest.mark.parametrize("policy", ["client", "user-or-client"])
def test_a_client_policy_has_a_target_even_if_nothing_is_named(policy: str) -> None:
    assert route(token=policy).client_target == TokenTarget()
    assert route(token=policy, scope="a").client_target == TokenTarget(scope=("a",))


def test_the_client_exchanges_nothing() -> None:
    target = route(token="user-or-client", audience="a", exchange=True).client_target
    assert target == TokenTarget(audience="a")


def test_targets_are_told_apart_by_name_and_the_order_of_scopes_does_not_matter() -> None:
    targets = [
        TokenTarget(), TokenTarget(resource="a"), TokenTarget(audience="a"), TokenTarget(scope=("a",)),
        TokenTarget(resource="a", is_exchanged=True), TokenTarget(resource="a", expect_audience="b"),
        TokenTarget(resource="a", audience="b"), TokenTarget(resource="ab"), TokenTarget(scope=("a", "b")),
    ]  # fmt: skip
    assert len({target.name for target in targets}) == len(targets)
    assert TokenTarget(scope=("a", "b")).name == TokenTarget(scope=("b", "a")).name


def test_what_a_login_must_be_is_read() -> None:
    parsed = route(acr_values=["gold", "urn:silver"], max_age="5m")
    assert (parsed.acr_values, parsed.max_age, parsed.demands_step_up) == (("gold", "urn:silver"), 300, True)
    assert not route().demands_step_up


@pytest.mark.parametrize(
    "fields, rule",
    [
        ({"token": "none", "resource": "https://a"}, "token none sends no token"),
        ({"exchange": True}, "exchange needs resource, audience or scope"),
        ({"exchange": True, "audience": "a", "token": "client"}, "exchange needs a user's token"),
        ({"exchange": True, "audience": "a", "token": "none"}, "token none sends no token"),
        ({"expect_audience": "a", "scope": "b"}, "expect_audience needs resource or audience"),
        ({"token": "user-or-none", "require_scope": "a"}, "require_scope needs a token in every call"),
        ({"token": "none", "require_scope": "a"}, "require_scope needs a token in every call"),
        ({"token": "client", "acr_values": "gold"}, "acr_values and max_age need token user"),
        ({"token": "user-or-none", "max_age": 60}, "acr_values and max_age need token user"),
        ({"token": "user-or-client", "max_age": 60}, "acr_values and max_age need token user"),
    ],
)  # fmt: skip
def test_fields_that_contradict_each_other_are_a_fault(fields: dict[str, object], rule: str) -> None:
    assert rule in faults(BFF_UPSTREAM_URL=None, BFF_ROUTES=json.dumps([{**API, **fields}]))[0]


@pytest.mark.parametrize("policy", ["user", "client", "user-or-client"])
def test_a_scope_can_be_required_where_every_call_has_a_token(policy: str) -> None:
    assert route(token=policy, require_scope="a").require_scope == ("a",)


@pytest.mark.parametrize("field, value", [("acr_values", "gold"), ("max_age", 60)])
def test_a_demand_on_the_login_must_reach_the_provider(field: str, value: object) -> None:
    table = json.dumps([{**API, field: value}])
    line = fault(BFF_UPSTREAM_URL=None, BFF_LOGIN_PARAMS="prompt", BFF_ROUTES=table)
    assert f"demands {field}, which BFF_LOGIN_PARAMS does not pass on" in line


@pytest.mark.parametrize("field, value", [("acr_values", "gold"), ("max_age", 60)])
def test_a_demand_on_the_login_needs_an_id_token(field: str, value: object) -> None:
    table = json.dumps([{**API, field: value}])
    line = fault(BFF_UPSTREAM_URL=None, BFF_SCOPES="read", BFF_ROUTES=table)
    assert f"demands {field}, which only an ID token tells" in line


@pytest.mark.parametrize(
    "name, value",
    [
        ("websocket", "yes"), ("websocket", 1), ("upstream", "ftp://api"),
        ("upstream", "https://user:password@api"), ("upstream", 1), ("methods", []),
        ("methods", "TRACE"), ("methods", ["CONNECT"]), ("methods", [1]), ("methods", {"GET": 1}), ("token", "users"),
        ("token", True), ("timeout", True), ("timeout", 0), ("timeout", "soon"), ("timeout", [1]), ("max_body", "big"),
        ("max_body", 0), ("max_body", 1.5), ("set_cookie", "a=b"), ("set_cookie", 'a"'), ("require_scope", "a,b"),
        ("require_scope", 'a"b'), ("resource", "api"), ("resource", "https://api#x"), ("resource", 1),
        ("audience", ""), ("audience", "a\n"), ("audience", ["a"]), ("scope", "a,b"), ("scope", []),
        ("exchange", "yes"), ("exchange", {}), ("exchange", 1), ("expect_audience", " "), ("acr_values", []),
        ("acr_values", "a,b"), ("acr_values", 'a"'), ("max_age", 0), ("max_age", -1), ("max_age", True),
        ("max_age", "soon"),
    ],
)  # fmt: skip
def test_a_field_of_the_wrong_kind_is_a_fault_that_names_route_and_field(name: str, value: object) -> None:
    assert route_fault(**{name: value}).startswith(f"BFF_ROUTES route 1 (/api): {name} ")


@pytest.mark.parametrize(
    "name", ["bff", "BFF", "__Host-Http-bff", "bff-login-0123456789abcdef", "__host-http-bff-login-x"]
)
def test_an_upstream_cannot_be_let_set_the_gateways_cookies(name: str) -> None:
    assert "the gateway's own cookie" in route_fault(set_cookie=[name])


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_the_gateway_is_not_its_own_upstream(host: str) -> None:
    line = fault(BFF_HOST=host, BFF_PORT="8080", BFF_UPSTREAM_URL="http://localhost:8080/v1")
    assert line.startswith("route /api: has the gateway itself as its upstream")


def test_another_port_of_the_same_machine_is_a_fine_upstream() -> None:
    assert loaded(BFF_UPSTREAM_URL="http://localhost:8081").routes[0].upstream.port == 8081


@pytest.mark.parametrize(
    "text",
    [
        "{", "1", '"x"', "null", '{"routes": 1}', '{"routes": {}}', '{"route": []}', '{"routes": [], "x": 1}', "[1]",
        '[{"prefix": "/a", "prefix": "/b", "upstream": "http://b"}]', "[" * 100_000,
    ],
)  # fmt: skip
def test_json_of_another_shape_is_refused(text: str) -> None:
    assert fault(BFF_ROUTES=text).startswith("BFF_ROUTES")


@pytest.mark.parametrize(
    "text", [b"{", b"routes = 1", b"[routes]\nprefix='/a'", b"[[route]]\nprefix='/a'", b"\xff", b"routes = [1]"]
)
def test_a_file_of_another_shape_is_refused(text: bytes) -> None:
    assert fault({"/r.toml": text}, BFF_ROUTES_FILE="/r.toml").startswith("BFF_ROUTES_FILE")


def test_a_file_that_cannot_be_read_is_refused() -> None:
    assert fault(BFF_ROUTES_FILE="/r.toml").startswith(
        "BFF_ROUTES_FILE: it names a file that cannot be read (no such file"
    )


def test_the_faults_of_all_routes_come_at_once() -> None:
    tables = [{**API, "timeout": 0, "methods": "X"}, {"prefix": "/b"}, "x"]
    assert len(faults(BFF_UPSTREAM_URL=None, BFF_ROUTES=json.dumps(tables))) == 4
