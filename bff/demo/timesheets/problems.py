"""What the API refuses, as problem details (RFC 9457) with bearer challenges (RFC 6750, section 3)."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

REALM = "timesheets"


class ProblemError(Exception):
    """A refusal: HTTP status, stable code, a title for people, and what is wrong in this case."""

    def __init__(self, status: int, code: str, title: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.headers = headers or {}


def no_token() -> ProblemError:
    """A request without a token: a challenge with no error code (RFC 6750, section 3.1)."""
    headers = {"WWW-Authenticate": f'Bearer realm="{REALM}"'}
    return ProblemError(401, "no_token", "Not authorised", "An access token is required.", headers)


def invalid_token(detail: str) -> ProblemError:
    """A token that is not good here."""
    challenge = f'Bearer realm="{REALM}", error="invalid_token", error_description="{detail}"'
    return ProblemError(401, "invalid_token", "Not authorised", detail, {"WWW-Authenticate": challenge})


def insufficient_scope(scope: str) -> ProblemError:
    """A good token that lacks the scope of the operation."""
    challenge = f'Bearer realm="{REALM}", error="insufficient_scope", scope="{scope}"'
    detail = f"This needs the scope {scope}, which was not granted."
    return ProblemError(403, "insufficient_scope", "Not permitted", detail, {"WWW-Authenticate": challenge})


def insufficient_authentication(acr: str) -> ProblemError:
    """A good token of a login that was not sure enough of who is there (RFC 9470, section 3)."""
    challenge = f'Bearer realm="{REALM}", error="insufficient_user_authentication", acr_values="{acr}"'
    detail = "This needs a login that was confirmed."
    headers = {"WWW-Authenticate": challenge}
    return ProblemError(401, "insufficient_user_authentication", "Is it you?", detail, headers)


async def problem_response(request: Request, fault: Exception) -> Response:
    """The answer to a `ProblemError`."""
    assert isinstance(fault, ProblemError)
    body = {
        "type": "about:blank",
        "title": fault.title,
        "status": fault.status,
        "code": fault.code,
        "detail": fault.detail,
        "instance": request.scope["path"],
    }
    headers = {"Cache-Control": "no-store", **fault.headers}
    return JSONResponse(body, fault.status, headers, media_type="application/problem+json")
