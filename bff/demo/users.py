"""The people of the demonstration and what each of them may do."""

from collections.abc import Iterable
from dataclasses import dataclass

IDENTITY_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})

SCOPE_DESCRIPTIONS = {
    "openid": "Know who you are",
    "profile": "See your name",
    "email": "See your e-mail address",
    "offline_access": "Stay signed in for you while you work",
    "read:timesheets": "Read the timesheets you may see",
    "create:timesheets": "Add timesheets for you",
    "delete:timesheets": "Delete timesheets for you",
    "approve:timesheets": "Approve other people's timesheets for you",
}

SUPPORTED_SCOPES = tuple(SCOPE_DESCRIPTIONS)


@dataclass(frozen=True)
class User:
    """Someone who can log in."""

    username: str
    given_name: str
    family_name: str
    role: str
    permissions: frozenset[str]

    @property
    def subject(self) -> str:
        """The subject identifier (OpenID Connect Core 1.0, section 2)."""
        return f"user-{self.username}"

    @property
    def name(self) -> str:
        """The full name, as shown to people."""
        return f"{self.given_name} {self.family_name}"

    @property
    def summary(self) -> str:
        """Role and abilities in one short line."""
        abilities = [name.partition(":")[0] for name in SUPPORTED_SCOPES if name in self.permissions]
        return f"{self.role}, may {', '.join(abilities)}" if abilities else f"{self.role}, no timesheets"

    def claims(self, scope: Iterable[str]) -> dict[str, object]:
        """The claims that `scope` opens (OpenID Connect Core 1.0, section 5.4)."""
        asked = set(scope)
        claims: dict[str, object] = {"sub": self.subject}
        if "profile" in asked:
            claims |= {
                "name": self.name,
                "given_name": self.given_name,
                "family_name": self.family_name,
                "preferred_username": self.username,
                "locale": "en",
            }
        if "email" in asked:
            claims |= {"email": f"{self.username}@example.com", "email_verified": True}
        return claims

    def grantable(self, requested: Iterable[str]) -> tuple[str, ...]:
        """The part of `requested` that this user may have, in the order asked for."""
        return tuple(name for name in requested if name in IDENTITY_SCOPES or name in self.permissions)


def _permissions(*operations: str) -> frozenset[str]:
    return frozenset(f"{operation}:timesheets" for operation in operations)


USERS = {
    user.username: user
    for user in (
        User("alice", "Alice", "Archer", "manager", _permissions("read", "create", "delete", "approve")),
        User("bob", "Bob", "Baker", "employee", _permissions("read", "create")),
        User("carol", "Carol", "Cooper", "employee", _permissions("read", "create", "delete")),
        User("dave", "Dave", "Draper", "guest", _permissions()),
    )
}
