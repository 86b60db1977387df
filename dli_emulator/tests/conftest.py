"""Emulators and clients of them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from api_client import ApiClient, Clock, store_url
from dli_emulator import Emulator

# Proxies of the machine have no part in what goes to loopback.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
# No test is timed: the machine may be busy with others.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture
def api(dli_emulator: Emulator) -> ApiClient:
    """Return a client of the session's emulator, which is clean."""
    return ApiClient(dli_emulator)


@pytest.fixture(scope="session", params=["seaweedfs", "moto"])
def stored(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """Return an emulator for each store; on SeaweedFS it is that of all tests."""
    if request.param == "seaweedfs":
        yield request.getfixturevalue("dli_emulator_session")
        return
    with Emulator(object_store=request.param) as emulator:
        yield emulator


@pytest.fixture
def each_store(stored: Emulator) -> ApiClient:
    """Return a client of an emulator for each store, which is clean."""
    stored.reset()
    return ApiClient(stored)


@pytest.fixture
def made(dli_emulator: Emulator) -> Iterator[Callable[..., ApiClient]]:
    """Return a maker of emulators with arguments of their own, on the session's store."""
    with contextlib.ExitStack() as stack:

        def make(**arguments: Any) -> ApiClient:
            emulator = Emulator(object_store=store_url(dli_emulator), **arguments)
            return ApiClient(stack.enter_context(emulator), arguments.get("clock"))

        yield make


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands at noon of a certain day."""
    return Clock()
