"""Parameters from queries and form bodies, each at most once (RFC 6749, section 3.1) but for `resource`."""

from collections import Counter
from urllib.parse import parse_qsl

from starlette.requests import Request

from bff.demo.provider.errors import OAuthError

MAXIMUM_BODY = 64 * 1024
FORM_TYPE = "application/x-www-form-urlencoded"


def parse_parameters(encoded: str) -> dict[str, str]:
    """The non-empty parameters of `encoded`; raises `OAuthError` when one is repeated.

    Several `resource` (RFC 8707, section 2) become one text with spaces between, which no URI contains.
    """
    try:
        pairs = parse_qsl(encoded, errors="strict", max_num_fields=100)
    except ValueError as fault:
        raise OAuthError("invalid_request", "The parameters are malformed.") from fault
    resources = [value for name, value in pairs if name == "resource"]
    pairs = [(name, value) for name, value in pairs if name != "resource"]
    repeated = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if repeated:
        raise OAuthError("invalid_request", "A parameter is repeated.")
    return dict(pairs) | ({"resource": " ".join(resources)} if resources else {})


def query_parameters(request: Request) -> dict[str, str]:
    """The query's parameters; raises `OAuthError`."""
    return parse_parameters(request.scope["query_string"].decode("latin-1"))


async def form_parameters(request: Request) -> dict[str, str]:
    """The form body's parameters; raises `OAuthError` when it is no form, too large or repeats one."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != FORM_TYPE:
        raise OAuthError("invalid_request", f"The body must be {FORM_TYPE}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAXIMUM_BODY:
            raise OAuthError("invalid_request", "The body is too large.", status=413)
    try:
        return parse_parameters(body.decode("ascii"))
    except UnicodeDecodeError as fault:
        raise OAuthError("invalid_request", "The body is not form-encoded.") from fault
