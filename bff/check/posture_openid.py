"""OpenID Connect on the client's side: answers to logins, ID tokens, and both kinds of logout."""

from __future__ import annotations

from typing import Final

from bff.check.posture import Facts, Judgement, Requirement, Standing, either, met, where


def _is_openid(facts: Facts) -> bool:
    return facts.is_openid


def _answers_are_signed(facts: Facts) -> bool:
    return facts.settings.response_mode.endswith("jwt")


def _is_told_of_logouts(facts: Facts) -> bool:
    return facts.metadata is None or facts.metadata.backchannel_logout_supported


def _ends_sessions_there(facts: Facts) -> bool:
    offered = facts.metadata is None or facts.metadata.end_session_endpoint is not None
    return offered and facts.settings.logout_url is None


def _missing_issuer(facts: Facts) -> Judgement:
    if facts.metadata is not None and not facts.metadata.authorization_response_iss_parameter_supported:
        return Standing.WAIVED, "the provider does not say that it names itself"
    return Standing.MET, "refused where the metadata say that it is there"


def _hint(facts: Facts) -> Judgement:
    if not facts.is_openid:
        return Standing.WAIVED, "there is no ID token"
    return either(facts.settings.id_token_hint, "both are sent", "BFF_ID_TOKEN_HINT keeps the ID token back")


ISS_REQUIREMENTS: Final = (
    Requirement(
        "ISS-1", "must", "2.4", "iss of every answer, errors too, compared before the code is used",
        met("character by character, before anything else is read"),
    ),
    Requirement("ISS-2", "must", "2.4", "An answer without iss refused where it was promised", _missing_issuer),
    Requirement(
        "ISS-3", "should", "2.4", "iss that was not promised is looked at all the same",
        met("refused unless it is the configured issuer"),
    ),
    Requirement(
        "ISS-4", "must", "2.4", "An error with another iss is none of this login", met("the login fails all the same"),
    ),
    Requirement("ISS-5", "must", "2.4", "No parameter counts that comes twice", met("the whole answer is refused")),
)  # fmt: skip

OIDC_REQUIREMENTS: Final = tuple(
    Requirement(identifier, force, section, asks, where(_is_openid, "BFF_SCOPES lacks openid: plain OAuth", judge))
    for identifier, force, section, asks, judge in (
        ("OIDC-1", "must", "3.1.3.7", "An ID token's signature, algorithm, iss, aud, azp, exp, iat, nonce and at_hash",
         met("each at every login; asymmetric algorithms that the metadata list, or the one of BFF_ID_TOKEN_ALG")),
        ("OIDC-2", "must", "4.3", "The issuer of the metadata is the one configured (Discovery)",
         met("compared to the byte; no login begins otherwise")),
        ("OIDC-3", "must", "5.7", "A user is iss and sub together", met("the issuer is bound into every session")),
        ("OIDC-4", "must", "5.3.2", "UserInfo speaks of the same sub", met("or the login fails, and the session ends")),
        ("OIDC-5", "must", "12.2", "A refreshed ID token keeps iss, sub, aud and auth_time",
         met("nothing of a refresh is used that does not")),
        ("OIDC-6", "should", "10.1.1", "Keys are fetched again for a kid that is not known",
         met("bounded, so that a forged one costs little")),
        ("OIDC-7", "must", "3.1.3.7", "auth_time checked where max_age was sent", met("a login without it fails")),
    )
)  # fmt: skip

JARM_REQUIREMENTS: Final = tuple(
    Requirement(identifier, "must", section, asks, where(_answers_are_signed, "BFF_RESPONSE_MODE is not jwt", judge))
    for identifier, section, asks, judge in (
        ("JARM-1", "2.4", "iss, aud and exp of a signed answer", met("this issuer, this client alone, in time")),
        ("JARM-2", "2.4", "Signed by a key of the provider, with an algorithm that it lists", met("never none")),
        ("JARM-3", "2.4", "An answer that is not signed is none", met("nor one with parameters beside its signature")),
    )
)  # fmt: skip

_RPL_AT_THE_PROVIDER: Final = tuple(
    Requirement(
        identifier, force, section, asks, where(_ends_sessions_there, "the provider has no end-session endpoint", judge)
    )
    for identifier, force, section, asks, judge in (
        ("RPL-1", "should", "2", "id_token_hint and client_id are sent", _hint),
        ("RPL-2", "must", "2", "post_logout_redirect_uri is registered and no one else's choice",
         met("BFF_PUBLIC_URL with BFF_POST_LOGOUT_PATH")),
        ("RPL-3", "should", "3", "state comes back and is looked at",
         met("signed; taken out of the address; nothing depends on it")),
        ("RPL-4", "advice", "2", "The URL stays short enough for servers", met("else it goes without the hint")),
        ("RPL-5", "advice", "2", "The session here ends first, whatever becomes of the browser",
         met("before the answer that sends it on")),
    )
)  # fmt: skip

RPL_REQUIREMENTS: Final = (
    *_RPL_AT_THE_PROVIDER,
    Requirement(
        "RPL-6", "advice", "2", "Without an end-session endpoint a logout is one all the same",
        met("the session here ends; BFF_LOGOUT_URL can name a page of the provider's"),
    ),
)  # fmt: skip

BCL_REQUIREMENTS: Final = tuple(
    Requirement(
        identifier, force, section, asks, where(_is_told_of_logouts, "the provider sends no logout tokens", judge)
    )
    for identifier, force, section, asks, judge in (
        ("BCL-1", "must", "2.5", "A form post with logout_token; what else it has is ignored", met("up to 64 KiB")),
        ("BCL-2", "must", "2.6", "Signed as ID tokens are, never none", met("by the provider's keys")),
        ("BCL-3", "must", "2.6", "iss, aud, iat and exp", met("at most ten minutes old")),
        ("BCL-4", "must", "2.6", "A sub or a sid", met("else it is refused")),
        ("BCL-5", "must", "2.6", "The event of a back-channel logout, as an object", met("else it is refused")),
        ("BCL-6", "must", "2.6", "No nonce", met("else it is refused")),
        ("BCL-7", "advice", "2.6", "jti counts once", met("on all instances, once its work is done")),
        ("BCL-8", "advice", "2.6", "What it names is a session that is known", met("else nothing ends, and it is 200")),
        ("BCL-9", "must", "2.7", "All sessions that it names end; those that are gone count as ended",
         met("by sid that one, by sub alone all of the user's")),
        ("BCL-10", "must", "2.8", "200 when it is done, 400 when not", met("no other status")),
        ("BCL-11", "should", "2.8", "Cache-Control: no-store", met("on both")),
        ("BCL-12", "should", "2.7", "Refresh tokens of the sessions are used no more",
         met("they go with the record, which its cookie alone opens; revoking them is the provider's part")),
        ("BCL-13", "advice", "2.2", "Sessions are found by issuer and sid, and by issuer and sub",
         met("both are kept with each session")),
        ("BCL-14", "advice", "2.7", "A login that is under way ends too", met("by a mark that it meets at its end")),
    )
)  # fmt: skip
