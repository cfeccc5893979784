"""The certification plans a confidential code-flow client takes, one table."""

from __future__ import annotations

from .drives import (
    read_keys,
    read_metadata,
    refresh_and_go_on,
    refresh_refused,
    refuse_metadata,
    sign_in_by_third_party,
    sign_in_either,
    sign_in_refused,
    sign_in_twice,
)
from .fapi_plans import fapi_plans
from .plan import Module, Plan

STATIC_CLIENT = {"request_type": "plain_http_request", "client_registration": "static_client"}
WITH_SECRET = {**STATIC_CLIENT, "client_auth_type": "client_secret_basic", "response_mode": "default"}
CODE_WITH_SECRET = {**WITH_SECRET, "response_type": "code"}
WITH_USERINFO = {"BFF_USERINFO": "on"}

ACCEPTED = Module()
REFUSED = Module(sign_in_refused)
UNSIGNED = Module(sign_in_refused, result="SKIPPED")
"""An unsigned ID token: a client that refuses it is recorded as having skipped the test."""

BASIC_MODULES = {
    "oidcc-client-test": ACCEPTED,
    "oidcc-client-test-invalid-iss": REFUSED,
    "oidcc-client-test-missing-sub": REFUSED,
    "oidcc-client-test-invalid-aud": REFUSED,
    "oidcc-client-test-missing-iat": REFUSED,
    "oidcc-client-test-kid-absent-single-jwks": ACCEPTED,
    "oidcc-client-test-kid-absent-multiple-jwks": Module(sign_in_either),
    "oidcc-client-test-idtoken-sig-rs256": ACCEPTED,
    "oidcc-client-test-idtoken-sig-none": UNSIGNED,
    "oidcc-client-test-invalid-sig-rs256": REFUSED,
    "oidcc-client-test-userinfo-invalid-sub": REFUSED,
    "oidcc-client-test-nonce-invalid": REFUSED,
    "oidcc-client-test-scope-userinfo-claims": ACCEPTED,
    "oidcc-client-test-client-secret-basic": ACCEPTED,
}

PLANS = (
    Plan(
        key="basic",
        name="oidcc-client-basic-certification-test-plan",
        title="Basic RP",
        variant=STATIC_CLIENT,
        modules=BASIC_MODULES,
        settings=WITH_USERINFO,
    ),
    Plan(
        key="form-post-basic",
        name="oidcc-client-formpost-basic-certification-test-plan",
        title="Form Post Basic RP",
        variant=STATIC_CLIENT,
        modules=BASIC_MODULES,
        settings={**WITH_USERINFO, "BFF_RESPONSE_MODE": "form_post"},
    ),
    Plan(
        key="config",
        name="oidcc-client-config-certification-test-plan",
        title="Config RP",
        variant=WITH_SECRET,
        modules={
            "oidcc-client-test-discovery-openid-config": Module(
                read_metadata, ready=False, stop_first=True, settings={"BFF_USERINFO": "off"}
            ),
            "oidcc-client-test-discovery-jwks-uri-keys": Module(
                read_keys, ready=False, stop_first=True, settings={"BFF_USERINFO": "off"}
            ),
            "oidcc-client-test-discovery-issuer-mismatch": Module(refuse_metadata, ready=False, stop_first=True),
            "oidcc-client-test-idtoken-sig-none": UNSIGNED,
            "oidcc-client-test-signing-key-rotation-just-before-signing": ACCEPTED,
            "oidcc-client-test-signing-key-rotation": Module(sign_in_twice),
        },
        settings=WITH_USERINFO,
        # A gateway may ask for metadata that was refused again; the suite takes that for an error once it is done.
        wait_seconds=5,
    ),
    Plan(
        key="rp-initiated-logout",
        name="oidcc-client-rp-initiated-logout-rp-basic",
        title="RP-Initiated RP",
        variant=WITH_SECRET,
        modules={
            "oidcc-client-test-rp-init-logout": ACCEPTED,
            "oidcc-client-test-rp-init-logout-other-state": ACCEPTED,
            "oidcc-client-test-rp-init-logout-no-state": ACCEPTED,
        },
    ),
    Plan(
        key="back-channel-logout",
        name="oidcc-client-back-channel-logout-rp-basic",
        title="Back-Channel RP",
        variant=WITH_SECRET,
        modules={
            f"oidcc-client-test-rp-backchannel-rpinitlogout{variation}": ACCEPTED
            for variation in (
                "",
                "-alg-none",
                "-no-event",
                "-with-nonce",
                "-wrong-alg",
                "-wrong-aud",
                "-wrong-event",
                "-wrong-iss",
            )
        },
    ),
    Plan(
        key="refresh-token",
        name="oidcc-client-refreshtoken-test-plan",
        title="Refresh Token",
        variant=CODE_WITH_SECRET,
        modules={
            "oidcc-client-test-refresh-token": Module(refresh_and_go_on),
            "oidcc-client-test-refresh-token-invalid-issuer": Module(refresh_refused),
            "oidcc-client-test-refresh-token-invalid-sub": Module(refresh_refused),
        },
        settings=WITH_USERINFO,
    ),
    Plan(
        key="third-party-login",
        name="oidcc-client-test-3rd-party-init-login-test-plan",
        title="3rd Party-Init RP",
        variant=CODE_WITH_SECRET,
        modules={"oidcc-client-test-3rd-party-init-login": Module(sign_in_by_third_party)},
        client={"initiate_login_uri": "/bff/login"},
        settings=WITH_USERINFO,
    ),
    *fapi_plans(),
)
