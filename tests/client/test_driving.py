"""What both drivers make of a conversation's steps, beside what is on the wire."""

from __future__ import annotations

import time
from typing import Any

import pytest

from airflow_provider_dli.client.call import Flow, pause
from airflow_provider_dli.client.errors import ConfigurationError


def test_a_pause_is_kept_and_the_conversation_goes_on(drive: Any) -> None:
    """For as long as it says, as often as it says so."""

    def pausing() -> Flow[str]:
        yield from pause(0.05)
        yield from pause(0.05)
        return "done"

    began = time.monotonic()
    assert drive(pausing()) == "done"
    assert time.monotonic() - began >= 0.1


def test_a_conversation_that_asks_nothing(drive: Any) -> None:
    """Its result is given, and what it raises is raised."""

    def silent() -> Flow[int]:
        yield from ()
        return 7

    def failing() -> Flow[int]:
        yield from pause(0)
        raise ConfigurationError("field", "is wrong", "mend it")

    assert drive(silent()) == 7
    with pytest.raises(ConfigurationError, match="field: is wrong; mend it"):
        drive(failing())


def test_a_conversation_is_closed_whatever_becomes_of_it(drive: Any) -> None:
    """So that what it holds is let go."""
    closed = []

    def holding(problem: Exception | None) -> Flow[None]:
        try:
            yield from pause(0)
            if problem:
                raise problem
        finally:
            closed.append(problem)

    problem = ConfigurationError("field", "is wrong", "mend it")
    drive(holding(None))
    with pytest.raises(ConfigurationError):
        drive(holding(problem))
    assert closed == [None, problem]
