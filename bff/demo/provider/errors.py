"""The errors the provider answers with."""


class OAuthError(Exception):
    """An OAuth endpoint's error answer (RFC 6749, section 5.2): `error` code, description, HTTP status."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status


class PageError(Exception):
    """A fault that is shown to the person at the browser, since no redirect can be trusted."""
