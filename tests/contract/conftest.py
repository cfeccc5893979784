"""The stores the contract is tested on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from bff.session.store import SessionStore
from tests.support.stores import PLACES, Place, available_places


@pytest.fixture(scope="session", params=available_places())
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Where sessions are kept; set up once for all tests."""
    with PLACES[request.param]() as place:
        yield place


@pytest.fixture
async def store(place: Place) -> AsyncIterator[SessionStore]:
    """The store of one instance of the gateway, with no keys of an earlier test."""
    place.renew()
    store = place.open()
    yield store
    await store.close()


@pytest.fixture
async def other_store(place: Place, store: SessionStore) -> AsyncIterator[SessionStore]:
    """The store of another instance of the same application."""
    other = place.open()
    yield other
    if other is not store:
        await other.close()
