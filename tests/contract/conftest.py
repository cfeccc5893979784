"""The stores the contract is tested on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from bff.session.store import SessionStore
from tests.support.store_attempts import eventually, patient_stores
from tests.support.stores import PLACES, Place, available_places

__all__ = ["patient_stores"]


@pytest.fixture(scope="session", params=available_places())
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Where sessions are kept; set up once for all tests."""
    with PLACES[request.param]() as place:
        yield place


@pytest.fixture
async def store(place: Place, patient_stores: None) -> AsyncIterator[SessionStore]:
    """The store of one instance of the gateway, with no keys of an earlier test."""
    place.renew()
    store = await _opened(place)
    yield store
    await store.close()


@pytest.fixture
async def other_store(place: Place, store: SessionStore) -> AsyncIterator[SessionStore]:
    """The store of another instance of the same application."""
    other = await _opened(place)
    yield other
    if other is not store:
        await other.close()


async def _opened(place: Place) -> SessionStore:
    """Return a store that has its connections: on a busy machine finding all servers may take it more than one call."""
    store = place.open()
    await eventually(store.ping)
    await eventually(lambda: store.read("none"))
    return store
