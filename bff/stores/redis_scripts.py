"""The few atomic steps a session needs, each on a single key, so that they run on a cluster as well.

    a live session                                        a tombstone
     0           8            16              n            0           8            16            n
     +-----------+------------+---------------+            +-----------+------------+-------------+
     | version   | touched at | sealed record |            | 0         | random     | reason      |
     | 8 bytes   | 8 bytes    |               |            | 8 bytes   | 8 bytes    | ASCII       |
     +-----------+------------+---------------+            +-----------+------------+-------------+

Numbers are big-endian; times are milliseconds since the epoch. The scripts compare bytes and never interpret them. A
script that finds its own value already in place says so: an answer may be lost on the way, and asking again is safe.

A server whose memory is full refuses a script's first write if that can take memory, and lets later ones pass. TOUCH
and END, which take none, begin with one that is never refused: a session in use does not expire, and a logout works.
Should the tombstone be refused all the same, the session has ended without it. The same holds for the announcement:
whoever may not publish can still end sessions.
"""

from __future__ import annotations

import hashlib
import secrets
import struct
from typing import Final

from bff.session.store import StoredSession, Tombstone

HEAD: Final = struct.Struct(">QQ")
HEAD_LENGTH: Final = HEAD.size
_VERSION: Final = struct.Struct(">Q")


class Script:
    """A Lua script and the digest the server knows it by."""

    __slots__ = ("digest", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


TAKE: Final = Script("""
-- the key, the value, its lifetime: write if nothing is there; 1 also if this very value is there, which begins anew
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
""")

UPDATE: Final = Script("""
-- the session, its version, the next version, the sealed record
local head = redis.call('GETRANGE', KEYS[1], 0, 15)
local version = string.sub(head, 1, 8)
if version == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2] .. string.sub(head, 9, 16) .. ARGV[3], 'KEEPTTL')
  return 1
end
if version == ARGV[2] and redis.call('GETRANGE', KEYS[1], 16, -1) == ARGV[3] then return 1 end
return 0
""")

TOUCH: Final = Script("""
-- the session, the version of a tombstone, touched at, lifetime
local version = redis.call('GETRANGE', KEYS[1], 0, 7)
if version == '' or version == ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('SETRANGE', KEYS[1], 8, ARGV[2])
return 1
""")

END: Final = Script("""
-- the session, the version of a tombstone, the tombstone, its lifetime, where and how it is announced: what was there,
-- '' if this very tombstone was
local found = redis.call('GET', KEYS[1])
if not found then return false end
if string.sub(found, 1, 8) == ARGV[1] then
  if found == ARGV[2] then return '' end
  return false
end
redis.call('DEL', KEYS[1])
redis.pcall('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.pcall('PUBLISH', ARGV[4], ARGV[5])
return found
""")

LIST: Final = Script("""
-- the index, when the session expires, its key, now, its lifetime
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return 1
""")

RELEASE: Final = Script("""
-- the lease, its owner
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
""")

SCRIPTS: Final = (TAKE, UPDATE, TOUCH, END, LIST, RELEASE)


def milliseconds(seconds: float) -> int:
    """Return whole milliseconds, at least one: Redis refuses a lifetime of none."""
    return max(1, round(seconds * 1000))


def encode_version(version: int) -> bytes:
    """Return the 8 bytes of a version."""
    return _VERSION.pack(version)


ENDED: Final = encode_version(0)


def encode_session(touched_at: float, sealed: bytes) -> bytes:
    """Return a new session, of version 1."""
    return HEAD.pack(1, milliseconds(touched_at)) + sealed


def encode_tombstone(reason: str) -> bytes:
    """Return a tombstone, unlike any other, so that whoever set it can recognise it."""
    return ENDED + secrets.token_bytes(HEAD_LENGTH - len(ENDED)) + reason.encode("ascii")


def encode_ending(key: str, reason: str) -> bytes:
    """Return what is announced when a session ends: its key, which is a hash and opens nothing, and why."""
    return f"{key} {reason}".encode("ascii")


def decode_ending(message: bytes) -> tuple[str, str] | None:
    """Return key and reason of an announcement, None for anything else that was published."""
    key, _, reason = message.partition(b" ")
    if not key or not reason or not message.isascii():
        return None
    return key.decode("ascii"), reason.decode("ascii")


def decode_ended(value: bytes) -> StoredSession:
    """Return what END took away; a session without version and content if the answer that had them was lost."""
    found = decode_stored(value, 0, len(value))
    assert isinstance(found, StoredSession)
    return found


def decode_stored(buffer: bytes, start: int, stop: int) -> StoredSession | Tombstone:
    """Return what is stored between the two places of a buffer.

    Anything too short to have a head is passed on as sealed bytes, which then cannot be opened.
    """
    if stop - start < HEAD_LENGTH:
        return StoredSession(0, 0.0, buffer[start:stop])
    version, touched_at = HEAD.unpack_from(buffer, start)
    body = buffer[start + HEAD_LENGTH : stop]
    if version == 0:
        return Tombstone(body.decode("ascii", "replace"))
    return StoredSession(version, touched_at / 1000, body)
