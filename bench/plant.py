"""Run as a program: writes sessions into the store the BFF_* variables name, and prints cookies that open them.

It uses the gateway's own code for settings, sealing and store, of whichever checkout PYTHONPATH names.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import time

import redis

from bff.session.cookies import SessionCookies, encode_handle
from bff.session.record import AccessToken, SessionRecord
from bff.session.sealing import Sealer, sealing_context
from bff.settings import Settings, load_settings
from bff.stores import open_store
from bff.stores.redis_scripts import encode_session

LIFETIME = 8 * 3600.0
BATCH = 1000


def main() -> None:
    """Plant `--count` sessions of `--size` bytes; the last `--shown` can be opened, the others only fill the store."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--shown", type=int, default=1)
    given = parser.parse_args()
    settings = load_settings(os.environ)
    context = sealing_context(settings.issuer, settings.client_id, settings.public_url.origin)
    keys = [key.reveal().encode() for key in settings.secret_keys]
    sealer = Sealer(keys, context, random_bytes=secrets.token_bytes)
    record = sized_record(sealer, settings, given.size)
    fill(settings, sealer, record, given.count - given.shown)
    cookies = asyncio.run(planted(settings, sealer, record, min(given.shown, given.count)))
    print(json.dumps(cookies))


async def planted(settings: Settings, sealer: Sealer, record: SessionRecord, count: int) -> list[str]:
    """Write sessions as a login does; return their cookies."""
    store = open_store(settings, time.time)
    name = SessionCookies(settings.cookie_name, settings.public_url.is_secure).session_name
    cookies = []
    for _ in range(count):
        handle = secrets.token_bytes(32)
        key = sealer.store_key(handle)
        sealed = sealer.seal(record, handle, key)
        await store.create(key, sealed, touched_at=time.time(), lifetime=LIFETIME, indexes=[], index_lifetime=LIFETIME)
        cookies.append(f"{name}={encode_handle(handle)}")
    await store.close()
    return cookies


def fill(settings: Settings, sealer: Sealer, record: SessionRecord, count: int) -> None:
    """Write sessions that nobody has a cookie for, in few round trips; they differ in key and version only."""
    if count <= 0 or settings.redis_url is None:
        return
    from bff.stores import namespace_of

    context = sealing_context(settings.issuer, settings.client_id, settings.public_url.origin)
    handle = secrets.token_bytes(32)
    value = encode_session(time.time(), sealer.seal(record, handle, sealer.store_key(handle)))
    with redis.Redis.from_url(settings.redis_url.reveal()) as client:
        for start in range(0, count, BATCH):
            pipeline = client.pipeline(transaction=False)
            for _ in range(min(BATCH, count - start)):
                pipeline.set(f"{namespace_of(context)}:{secrets.token_hex(32)}", value, px=int(LIFETIME * 1000))
            pipeline.execute()


def sized_record(sealer: Sealer, settings: Settings, size: int) -> SessionRecord:
    """Return a plausible record that is `size` bytes when sealed; its tokens are as long as common providers'."""
    handle = secrets.token_bytes(32)
    key = sealer.store_key(handle)
    length = 64
    while (sealed := len(sealer.seal(built := _record(settings, length), handle, key))) != size:
        length += size - sealed
        if length < 1:
            raise SystemExit(f"a record cannot be as small as {size} bytes")
    return built


def _record(settings: Settings, refresh_token_length: int) -> SessionRecord:
    now = time.time()
    return SessionRecord(
        issuer=settings.issuer,
        client_id=settings.client_id,
        subject="248289761001",
        sid="08a5019c-17e1-4977-8f42-65a12843ea02",
        claims={
            "sub": "248289761001",
            "name": "Ann Ödegård",
            "preferred_username": "ann",
            "email": "ann@example.com",
            "email_verified": True,
        },
        id_token=_token(900),
        refresh_token=_token(refresh_token_length),
        access_token=AccessToken(_token(900), None, ("openid", "profile", "email", "offline_access")),
        created_at=now,
        expires_at=now + LIFETIME,
        issued_at=now,
    )


def _token(length: int) -> str:
    return f"ey{secrets.token_urlsafe(length)}"[:length]


if __name__ == "__main__":
    main()
