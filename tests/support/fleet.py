"""Several gateway instances on one store and one provider, without sockets: what the token use cases need of each."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from bff.errors import StoreUnavailable
from bff.logins_under_way import ClaimedLogin
from bff.provider import Provider
from bff.session.cookies import HANDLE_LENGTH
from bff.session.record import AccessToken, SessionRecord
from bff.session.sealing import Sealer, sealing_context
from bff.session.store import EndListener, SessionStore, StoredSession, Tombstone, Waiter
from bff.sessions import Session, Sessions
from bff.settings.token_target import TokenTarget
from bff.stores.memory import MemoryStore
from bff.tokens import ClientTokens, Tokens
from tests.support.provider_double import ProviderDouble
from tests.support.provider_settings import PUBLIC_URL, provider_settings
from tests.support.signed_tokens import CLIENT_ID, ISSUER
from tests.support.virtual_time import clock


class UnreliableStore:
    """A store behind a network: `latency` gives seconds per call, `down` fails every call before it is made.

    `losing` names methods whose next call is made but whose answer is lost.
    """

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self.latency: Callable[[], float] = lambda: 0.0
        self.down = False
        self.losing: list[str] = []
        self.before: dict[str, Callable[[], Awaitable[object]]] = {}
        self.calls: Counter[str] = Counter()

    async def _call(self, name: str, *arguments: Any, **options: Any) -> Any:
        self.calls[name] += 1
        await asyncio.sleep(self.latency())
        if self.down:
            raise StoreUnavailable("store.down")
        if name in self.before:
            await self.before[name]()
        result = await getattr(self._store, name)(*arguments, **options)
        await asyncio.sleep(self.latency())
        if name in self.losing:
            self.losing.remove(name)
            raise StoreUnavailable("store.answer_lost")
        return result

    def read(self, key: str) -> asyncio.Future[StoredSession | Tombstone | None]:
        """Return a future of the record."""
        return asyncio.ensure_future(self._call("read", key))

    def read_for(self, key: str, waiter: Waiter) -> None:
        """Let the waiter have the record."""

        def pass_on(read: asyncio.Future[StoredSession | Tombstone | None]) -> None:
            error = read.exception()
            if waiter.done():
                return
            if isinstance(error, StoreUnavailable):
                waiter.set_exception(error)
            else:
                waiter.set_result(read.result())

        self.read(key).add_done_callback(pass_on)

    async def create(
        self,
        key: str,
        sealed: bytes,
        *,
        touched_at: float,
        lifetime: float,
        indexes: Sequence[str],
        index_lifetime: float,
    ) -> None:
        """Write a new record."""
        await self._call(
            "create",
            key,
            sealed,
            touched_at=touched_at,
            lifetime=lifetime,
            indexes=indexes,
            index_lifetime=index_lifetime,
        )

    async def update(self, key: str, sealed: bytes, *, version: int) -> bool:
        """Replace a record that still has this version."""
        return bool(await self._call("update", key, sealed, version=version))

    async def touch(self, key: str, *, touched_at: float, lifetime: float) -> bool:
        """Extend a record's lifetime."""
        return bool(await self._call("touch", key, touched_at=touched_at, lifetime=lifetime))

    async def end(self, key: str, *, reason: str, lifetime: float) -> StoredSession | None:
        """Replace a record by a tombstone."""
        ended: StoredSession | None = await self._call("end", key, reason=reason, lifetime=lifetime)
        return ended

    async def end_indexed(self, index: str, *, reason: str, lifetime: float) -> int:
        """End every session under the index."""
        return int(await self._call("end_indexed", index, reason=reason, lifetime=lifetime))

    def listen(self, listener: EndListener) -> None:
        """Tell the listener of every ending."""
        self._store.listen(listener)

    async def put(self, name: str, value: bytes, *, lifetime: float) -> None:
        """Keep a small value."""
        await self._call("put", name, value, lifetime=lifetime)

    async def get(self, name: str) -> bytes | None:
        """Return a small value."""
        value: bytes | None = await self._call("get", name)
        return value

    async def acquire(self, name: str, *, owner: str, lifetime: float) -> bool:
        """Take a lease."""
        return bool(await self._call("acquire", name, owner=owner, lifetime=lifetime))

    async def release(self, name: str, *, owner: str) -> None:
        """Give a lease back."""
        await self._call("release", name, owner=owner)

    async def ping(self) -> None:
        """Return if the store answers."""
        await self._call("ping")

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()


class Instance:
    """One gateway: its own connection to the store, its own provider client, its own tokens."""

    def __init__(
        self, store: SessionStore, double: ProviderDouble, secret_key: bytes, settings: dict[str, str]
    ) -> None:
        self.outcomes: list[str] = []
        self.store = UnreliableStore(store)
        self.provider = Provider(
            provider_settings(**settings), double.transport, clock=clock, random_bytes=secrets.token_bytes
        )
        self.sessions = Sessions(
            self.store,
            Sealer([secret_key], sealing_context(ISSUER, CLIENT_ID, PUBLIC_URL), random_bytes=secrets.token_bytes),
            idle=1800,
            max_lifetime=28800,
            clock=clock,
            random_bytes=secrets.token_bytes,
            on_event=lambda level, name, **fields: None,
        )
        self.client_tokens = ClientTokens(
            self.provider,
            self.store,
            Sealer([secret_key], sealing_context(ISSUER, CLIENT_ID, PUBLIC_URL), random_bytes=secrets.token_bytes),
            clock=clock,
            random_bytes=secrets.token_bytes,
            on_refresh=self.outcomes.append,
        )
        self.tokens = Tokens(
            self.provider,
            self.sessions,
            clock=clock,
            random_bytes=secrets.token_bytes,
            on_refresh=self.outcomes.append,
        )

    async def call(self, handle: bytes, target: TokenTarget | None = None) -> str:
        """Do what a proxied call does: read the session, get a token; return the token."""
        session = await self.sessions.resume(handle)
        _, token = await self.tokens.access_token(session, target)
        return token.value


class Fleet:
    """Instances that share a store and a provider."""

    def __init__(self, size: int = 1, **settings: str) -> None:
        self.double = ProviderDouble(clock=clock)
        self.memory = MemoryStore(clock)
        self._secret_key = secrets.token_bytes(32)
        self.instances: list[Instance] = []
        for _ in range(size):
            self.add(**settings)

    def add(self, **settings: str) -> None:
        """Add an instance, which may have other settings."""
        self.instances.append(Instance(self.memory, self.double, self._secret_key, settings))

    def __getitem__(self, number: int) -> Instance:
        return self.instances[number]

    @property
    def token_requests(self) -> int:
        """How often the token endpoint was asked."""
        return self.double.calls["/token"]

    async def log_in(self, *, lifetime: float | None = 300.0, **changes: Any) -> Session:
        """Start a session whose access token lives `lifetime` seconds from now, and warm the key caches."""
        for instance in self.instances:
            await instance.provider.keys()
        now = clock()
        members: dict[str, Any] = {
            "issuer": ISSUER,
            "client_id": CLIENT_ID,
            "subject": "user-1",
            "sid": None,
            "claims": {"sub": "user-1", "name": "Ada"},
            "id_token": "id-token-0",
            "refresh_token": self.double.issue(secrets.token_hex(4)),
            "access_token": AccessToken(
                "access-0", None if lifetime is None else now + lifetime, ("openid", "read:timesheets")
            ),
            "created_at": now,
            "expires_at": now + 28800,
            "issued_at": now,
            **changes,
        }
        login = ClaimedLogin("state", members["created_at"], members["created_at"], secrets.token_bytes(HANDLE_LENGTH))
        return await self[0].sessions.start(SessionRecord(**members), login)

    async def change_claims(self, handle: bytes, **claims: Any) -> None:
        """Change a record as something other than a refresh would."""
        session = await self[0].sessions.resume(handle)
        record = msgspec.structs.replace(session.record, claims={**session.record.claims, **claims})
        assert await self[0].sessions.replace(session, record) is not None
