"""Credentials that are read again when their files change, so that their renewal needs no restart.

What is renewed is the client's own: its secret, its key, its certificate and that one's key, and the authorities it
trusts. All of it is read and checked together, for a certificate is of no use with another one's key.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bff.errors import SettingsInvalid
from bff.settings.credentials import certificate_chain, check_certificates, is_key_of
from bff.settings.fault import Faults, Unacceptable
from bff.settings.load import ReadFile, read_text
from bff.settings.settings import Settings
from bff.settings.variables import VARIABLES

_CONTENTS: Final = {"BFF_CA_FILE": check_certificates, "BFF_CLIENT_CERT": certificate_chain}
_BY_NAME: Final = {variable.name: variable for variable in VARIABLES}


def renewed(settings: Settings, *, read_file: ReadFile = Path.read_bytes) -> Settings:
    """Return the settings with what is in the files of `settings.credential_files` now.

    Raises `SettingsInvalid` with the faults of what cannot be used; none quotes a value.
    """
    faults, values = Faults(), {}
    for name, path in settings.credential_files:
        try:
            values[name] = _parse(name, read_text(path, read_file, name).rstrip("\r\n"))
        except Unacceptable as fault:
            faults.add_unacceptable(name, fault)
    if not faults.lines:
        _check_pair(settings, values, faults)
    if faults.lines:
        raise SettingsInvalid(faults.lines)
    changes: dict[str, Any] = {_BY_NAME[name].attribute: value for name, value in values.items() if value is not None}
    return dataclasses.replace(settings, **changes)


def _parse(name: str, text: str) -> object:
    if not text.strip():
        raise Unacceptable("names an empty file", "Write the credential into it")
    return _CONTENTS[name](text) if name in _CONTENTS else _BY_NAME[name].parse(text)


def _check_pair(settings: Settings, values: Mapping[str, Any], faults: Faults) -> None:
    chain = values.get("BFF_CLIENT_CERT", settings.client_cert)
    key = values.get("BFF_CLIENT_CERT_KEY", settings.client_cert_key)
    if chain is not None and key is not None and not is_key_of(key, chain):
        faults.add("BFF_CLIENT_CERT_KEY", "is not the key of BFF_CLIENT_CERT", "Renew both together")
