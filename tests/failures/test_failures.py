"""What a user sees of a failure: the page has the exact message, and whether Airflow retries."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

import pytest

from airflow_provider_dli.exceptions import DliException, DliFailException
from dli_emulator import Emulator
from tests.connections import connected
from tests.failures.dags.failures import MAKE
from tests.failures.page import PAGE, messages_on_page, page
from tests.failures.scenarios import SCENARIOS, message_of


@pytest.fixture
def set_up(request: pytest.FixtureRequest, dli_emulator: Emulator) -> Iterator[str]:
    """Prepare the emulator for a scenario; return its name."""
    name = request.param
    with connected(SCENARIOS[name].connections(dli_emulator)):
        SCENARIOS[name].set_up(dli_emulator)
        yield name


def test_the_page_is_made_of_the_scenarios() -> None:
    """Whoever changes one writes it again."""
    assert set(MAKE) == set(SCENARIOS)
    assert PAGE.read_text(encoding="utf-8") == page(messages_on_page())


@pytest.mark.slow
@pytest.mark.parametrize("set_up", SCENARIOS, indirect=True)
def test_the_message_is_the_one_on_the_page(set_up: str) -> None:
    """Word for word."""
    assert message_of(set_up) == messages_on_page()[set_up]


@pytest.mark.slow
@pytest.mark.parametrize("set_up", SCENARIOS, indirect=True)
def test_a_retry_is_spent_only_where_one_may_help(set_up: str) -> None:
    """As the page has it."""
    with pytest.raises(DliException) as caught:
        MAKE[set_up]().execute({})
    assert isinstance(caught.value, DliFailException) is not SCENARIOS[set_up].retried


@pytest.mark.slow
@pytest.mark.parametrize("set_up", SCENARIOS, indirect=True)
def test_a_failure_is_one_record(set_up: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Airflow logs the exception: its message is one line that ends with what to do, its traceback is complete."""
    with pytest.raises(DliException) as caught:
        MAKE[set_up]().execute({})
    assert "[error" not in capsys.readouterr().out
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.endswith(caught.value.advice or "")
    formatted = traceback.format_exception(caught.value)
    assert formatted[-1].endswith(f": {message}\n")
    if cause := caught.value.__cause__:
        assert cause.__traceback__
        assert f"{type(cause).__name__}: " in "".join(formatted)
