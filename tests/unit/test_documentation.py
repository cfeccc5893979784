"""`.env.example` and the documentation say what the settings are: every variable, its default, one line on it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from bff.settings import VARIABLES, Variable, load_settings
from bff.settings.fault import Faults
from bff.settings.load import FILE_VARIABLES
from bff.settings.route import FIELDS, METHODS, parse_route
from bff.telemetry import Metrics

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLE = (CHECKOUT / ".env.example").read_text(encoding="utf-8")
REFERENCE = (CHECKOUT / "docs" / "configuration.md").read_text(encoding="utf-8")
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]

NAMES = [variable.name for variable in VARIABLES]
REQUIRED = {
    "BFF_PUBLIC_URL": "https://app.example.com",
    "BFF_ISSUER": "https://id.example.com",
    "BFF_CLIENT_ID": "app",
    "BFF_CLIENT_SECRET": "secret",
}

NAME = re.compile(r"\bBFF_[A-Z_]*[A-Z]\b")
ASSIGNMENT = re.compile(r"^#?(BFF_[A-Z_]+)=(.*)$", re.MULTILINE)
ROW = re.compile(r"^\| (`BFF_[A-Z_]+`) \| (.*?) ?\| (.+) \|$", re.MULTILINE)
# What a misspelt or foreign variable looks like is part of the explanation.
SHOWN_AS_WRONG = {"BFF_ISUER", "BFF_SERVICE_HOST"}

each_variable = pytest.mark.parametrize("variable", VARIABLES, ids=NAMES)


def test_the_example_lists_every_variable_once_in_the_order_of_the_table() -> None:
    assert [name for name, _ in ASSIGNMENT.findall(EXAMPLE)] == NAMES


@each_variable
def test_the_example_shows_each_variables_meaning_and_default(variable: Variable) -> None:
    note = " Required." if variable.required else " A secret." if variable.secret else ""
    comment = "" if variable.required else "#"
    assert f"\n# {variable.meaning}{note}\n{comment}{variable.name}={variable.default or ''}\n" in EXAMPLE


def test_the_example_means_the_defaults_once_what_is_required_is_filled_in() -> None:
    example = {**dict(ASSIGNMENT.findall(EXAMPLE)), **REQUIRED}
    assert load_settings(example, new_key=lambda: "k") == load_settings(REQUIRED, new_key=lambda: "k")


def test_the_reference_lists_every_variable_once_in_the_order_of_the_table() -> None:
    assert [name.strip("`") for name, _, _ in ROW.findall(REFERENCE)] == NAMES


@each_variable
def test_the_reference_shows_each_variables_default_and_meaning(variable: Variable) -> None:
    default = "required" if variable.required else f"`{variable.default}`" if variable.default else ""
    assert (f"`{variable.name}`", default, variable.meaning) in ROW.findall(REFERENCE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_variable_that_does_not_exist(page: Path) -> None:
    named = set(NAME.findall(page.read_text(encoding="utf-8")))
    assert named - {*NAMES, *FILE_VARIABLES} <= SHOWN_AS_WRONG


def test_every_secret_is_named_as_one_that_can_be_a_file() -> None:
    section = REFERENCE.partition("## Secrets as files")[2].partition("\n## ")[0]
    assert set(NAME.findall(section.partition("\n\n```")[0])) == {v.name for v in VARIABLES if v.secret}


def test_the_reference_lists_every_field_of_a_route() -> None:
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \| ", REFERENCE.partition("| field |")[2], re.MULTILINE)
    assert set(re.findall(r"[a-z_]+", " ".join(rows))) >= set(FIELDS)
    assert all(f"`{method}`" in REFERENCE for method in METHODS)


def test_the_example_of_a_routes_file_is_one() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", REFERENCE, re.DOTALL)
    faults = Faults()
    routes = [
        parse_route("example", table, timeout=60, max_body=1, faults=faults) for table in tomllib.loads(text)["routes"]
    ]
    assert faults.lines == ()
    assert [route.prefix for route in routes if route] == [
        *("/api", "/api/reports", "/public", "/management", "/prices", "/payments"),
    ]


def test_the_example_of_routes_in_json_is_one() -> None:
    (text,) = re.findall(r"BFF_ROUTES='(.*)'", REFERENCE)
    assert load_settings({**REQUIRED, "BFF_ROUTES": text}).routes[0].require_scope == ("read:timesheets",)


def test_the_reference_lists_every_metric() -> None:
    section = REFERENCE.partition("| metric |")[2]
    documented = set(re.findall(r"`(bff_[a-z_]+)", section))
    counted = Metrics()
    counted.certificate_ends_at = lambda: 0.0
    metrics = {f"{family.name}_total" if family.type == "counter" else family.name for family in counted.collect()}
    assert documented == metrics


def test_the_license_is_the_one_the_package_declares() -> None:
    declared = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["license"]
    text = (CHECKOUT / "LICENSE").read_text(encoding="utf-8")
    assert declared == "Apache-2.0"
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
