"""What must not be done twice is asked for again only where nothing shows that it was done."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from airflow_provider_dli.asking import MOST_ASKS, ask_until_known
from airflow_provider_dli.client.errors import AnswerLostError, DliClientError, ThrottledError
from airflow_provider_dli.exceptions import DliException, translated

LOG = logging.getLogger(__name__)


def failing(left: list[DliClientError]) -> Callable[[], str]:
    """Give something to ask for: each of the errors in turn, then an answer."""

    def ask() -> str:
        with translated():
            if left:
                raise left.pop(0)
        return "answered"

    return ask


def lost() -> DliClientError:
    return AnswerLostError("ExportFlinkJobs", "dli.example.com", "the connection ended")


def nothing(_: DliException) -> None:
    """See no sign of it."""


def test_an_answer_is_given_as_it_came() -> None:
    """Nobody looks."""
    assert ask_until_known(failing([]), lambda _: pytest.fail("looked"), LOG) == "answered"


def test_what_is_found_is_not_asked_for_again() -> None:
    """Also if it is nothing that counts as true."""
    left = [lost(), lost()]
    assert ask_until_known(failing(left), lambda _: "", LOG) == ""
    assert len(left) == 1


def test_where_nothing_shows_it_is_asked_again_but_not_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    """The last lost answer is the one that is told."""
    caplog.set_level(logging.INFO)
    assert ask_until_known(failing([lost(), lost()]), nothing, LOG) == "answered"
    assert caplog.messages == ["Asking again."] * 2
    looks: list[DliException] = []
    with pytest.raises(DliException) as caught:
        ask_until_known(failing([lost() for _ in range(MOST_ASKS)]), looks.append, LOG)
    assert (len(looks), caught.value) == (MOST_ASKS, looks[-1])


def test_a_no_is_a_no() -> None:
    """The service did nothing: there is nothing to look for."""
    refusal = failing([ThrottledError("ExportFlinkJobs", 429, "APIGW.0308", "too many", None)])
    with pytest.raises(DliException, match="too many"):
        ask_until_known(refusal, lambda _: pytest.fail("looked"), LOG)


def test_whoever_asks_may_say_when_to_ask_again() -> None:
    """In place of the error's own word."""
    with pytest.raises(DliException, match="the connection ended"):
        ask_until_known(failing([lost()]), nothing, LOG, worth_repeating=lambda _: False)
