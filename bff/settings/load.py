"""Reading the environment: every fault is found before any is reported, and none quotes a value."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from bff.errors import SettingsInvalid
from bff.settings.credentials import certificate_chain, check_certificates
from bff.settings.fault import Faults, Unacceptable, near_miss, shown_name
from bff.settings.invariants import check_routes, check_values
from bff.settings.profile import apply_profile
from bff.settings.routes import all_routes, parse_toml
from bff.settings.secret import Secret
from bff.settings.settings import Settings
from bff.settings.variables import VARIABLES, Variable

PREFIX: Final = "BFF_"
ROUTE_VARIABLES: Final = ("BFF_UPSTREAM_URL", "BFF_API_PREFIX", "BFF_ROUTES_FILE", "BFF_ROUTES")
FILE_VARIABLES: Final = {f"{variable.name}_FILE": variable for variable in VARIABLES if variable.secret}

_FILES: Final[dict[str, Callable[[str], object]]] = {
    "BFF_CA_FILE": check_certificates,
    "BFF_CLIENT_CERT": certificate_chain,
    "BFF_ROUTES_FILE": parse_toml,
}
ReadFile = Callable[[Path], bytes]
_RENEWED_SECRETS: Final = ("BFF_CLIENT_SECRET", "BFF_CLIENT_KEY", "BFF_CLIENT_CERT_KEY")
_RENEWED_FILES: Final = ("BFF_CLIENT_CERT", "BFF_CA_FILE")

_BY_NAME: Final = {variable.name: variable for variable in VARIABLES}
# Kubernetes tells every container of each Service called bff or bff-...: nobody has set these.
_SERVICE_LINK = re.compile(
    r"BFF(?:_[A-Z0-9_]+)?_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_PROTO|_PORT|_ADDR)?)"
)
_SERVICE_LINK_PORT = re.compile(r"(?:tcp|udp|sctp)://[0-9A-Fa-f.:\[\]]+:[0-9]+")


def load_settings(
    environ: Mapping[str, str],
    *,
    read_file: ReadFile = Path.read_bytes,
    new_key: Callable[[], str] = lambda: secrets.token_urlsafe(48),
    checks: Mapping[str, Callable[[str], object]] = MappingProxyType({}),
) -> Settings:
    """Return the settings that the environment describes.

    A variable that is empty or blank counts as unset. `read_file` reads the files that variables name; `new_key` makes
    the key of a gateway that keeps its sessions in memory and was given none. `checks` are the parsers of those who use
    a secret, by the secret's variable: what raises `ValueError` is one more fault, its text the rule. Raises
    `SettingsInvalid` with all faults.
    """
    given = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value.strip()}
    given = {name: value for name, value in given.items() if not _is_service_link(name, value)}
    faults = Faults()
    _check_names(given, faults)
    values: dict[str, Any] = {}
    broken: set[str] = set()
    for variable in VARIABLES:
        try:
            text = _text_of(variable, given, read_file)
            if text is not None:
                values[variable.name] = value = variable.parse(text)
                if variable.name in checks:
                    _check_further(value, checks[variable.name])
            elif variable.required:
                raise Unacceptable("is required", variable.meaning.rstrip("."))
        except Unacceptable as fault:
            broken.add(variable.name)
            faults.add_unacceptable(variable.name, fault)
    files = _credential_files(given, values)
    for name, found in _check_files(values, read_file):
        broken.add(name)
        faults.add_unacceptable(name, found)
    apply_profile(values, {name.removesuffix("_FILE") for name in given} & {*_BY_NAME}, broken, faults)
    check_values(values, frozenset(broken), faults)
    routes = all_routes(values, faults)
    check_routes(routes, values, faults)
    if faults.lines:
        raise SettingsInvalid(faults.lines)
    if not values.get("BFF_SECRET_KEYS"):
        values["BFF_SECRET_KEYS"] = (Secret(new_key()),)
    attributes: dict[str, Any] = {v.attribute: values.get(v.name) for v in VARIABLES if v.name not in ROUTE_VARIABLES}
    return Settings(routes=routes, credential_files=files, **attributes)


def load_secret(
    name: str,
    environ: Mapping[str, str],
    *,
    check: Callable[[str], object],
    read_file: ReadFile = Path.read_bytes,
) -> Secret | None:
    """Return one secret of the environment by its variable, whatever the others are; None if it is not set.

    `check` is its user's parser, as in `load_settings`. Raises `SettingsInvalid` with its one fault.
    """
    variable, faults = _BY_NAME[name], Faults()
    try:
        text = _text_of(variable, {key: value for key, value in environ.items() if value.strip()}, read_file)
        if text is None:
            return None
        secret: Secret = variable.parse(text)
        _check_further(secret, check)
    except Unacceptable as fault:
        faults.add_unacceptable(name, fault)
        raise SettingsInvalid(faults.lines) from None
    return secret


def _credential_files(given: Mapping[str, str], values: Mapping[str, Any]) -> tuple[tuple[str, Path], ...]:
    """Return the files of the credentials that may be renewed, by variable."""
    files = {name: Path(given[f"{name}_FILE"]) for name in _RENEWED_SECRETS if f"{name}_FILE" in given}
    files |= {name: path for name in _RENEWED_FILES if isinstance(path := values.get(name), Path)}
    return tuple(files.items())


def _is_service_link(name: str, value: str) -> bool:
    if name.endswith("_PORT") and _SERVICE_LINK_PORT.fullmatch(value):
        return True
    return name not in _BY_NAME and _SERVICE_LINK.fullmatch(name) is not None


def _check_names(given: Mapping[str, str], faults: Faults) -> None:
    known = (*_BY_NAME, *FILE_VARIABLES)
    for name in sorted(set(given) - set(known)):
        bare = name.removesuffix("_FILE")
        if bare in _BY_NAME:
            faults.add(name, "is not a variable: only secrets can be given as files", f"Set {bare} instead")
            continue
        meant = near_miss(name, known)
        cure = f"Did you mean {meant}?" if meant else "Remove it; docs/configuration.md lists all variables"
        faults.add(shown_name(name), "is not a variable of the gateway", cure)


def _text_of(variable: Variable, given: Mapping[str, str], read_file: ReadFile) -> str | None:
    """Return a variable's text: its own, its file's or its default; raises `Unacceptable`."""
    text = given.get(variable.name)
    path = given.get(f"{variable.name}_FILE") if variable.secret else None
    if path is None:
        return variable.default if text is None else text
    if text is not None:
        raise Unacceptable(f"is set twice, here and in {variable.name}_FILE", "Remove one of the two")
    text = read_text(Path(path), read_file, f"{variable.name}_FILE").rstrip("\r\n")
    if not text.strip():
        raise Unacceptable(f"{variable.name}_FILE names an empty file", "Write the secret into it")
    return text


def _check_further(secret: Secret, check: Callable[[str], object]) -> None:
    try:
        check(secret.reveal())
    except ValueError as error:
        # The text of a `UnicodeError` quotes what it was about.
        rule = "cannot be used" if isinstance(error, UnicodeError) else str(error)
        raise Unacceptable(rule, "docs/configuration.md has the forms it can take") from None


def read_text(path: Path, read_file: ReadFile, name: str) -> str:
    """Return what is in the file of the variable `name`; raises `Unacceptable`."""
    try:
        return read_file(path).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not UTF-8 text"
        raise Unacceptable(
            f"{name} names a file that cannot be read ({reason.lower()})", "Check the path and its permissions"
        ) from None


def _check_files(values: dict[str, Any], read_file: ReadFile) -> Iterator[tuple[str, Unacceptable]]:
    """Read the files that are not secrets; but for the one of authorities they are replaced by what is in them."""
    for name, check in _FILES.items():
        if isinstance(values.get(name), Path):
            try:
                content = check(read_text(values[name] if name == "BFF_CA_FILE" else values.pop(name), read_file, "it"))
            except Unacceptable as fault:
                yield name, fault
            else:
                if content is not None:
                    values[name] = content
    if "BFF_STATIC_DIR" in values:
        try:
            read_file(values["BFF_STATIC_DIR"] / "index.html")
        except OSError:
            yield (
                "BFF_STATIC_DIR",
                Unacceptable("must be a directory with a readable index.html", "Build the page, or check the path"),
            )
