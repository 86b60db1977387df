"""What a user meets who meets a failure: the page tells the very message, and whether Airflow retries."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

import pytest

from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.telling import lines_of
from dli_emulator import Emulator
from tests.connections import connected
from tests.failures.dags.failures import MAKE
from tests.failures.page import PAGE, page, told
from tests.failures.scenarios import SCENARIOS, message_of


@pytest.fixture
def set_up(request: pytest.FixtureRequest, dli_emulator: Emulator) -> Iterator[str]:
    """Have the emulator go the way of a scenario; give its name."""
    name = request.param
    with connected(SCENARIOS[name].connections(dli_emulator)):
        SCENARIOS[name].set_up(dli_emulator)
        yield name


def test_the_page_is_made_of_the_scenarios() -> None:
    """Whoever changes one makes it anew."""
    assert set(MAKE) == set(SCENARIOS)
    assert PAGE.read_text(encoding="utf-8") == page(told())


@pytest.mark.parametrize("set_up", SCENARIOS, indirect=True)
def test_the_message_is_the_one_that_the_page_tells(set_up: str) -> None:
    """Word for word."""
    assert message_of(set_up) == told()[set_up]


@pytest.mark.parametrize("set_up", SCENARIOS, indirect=True)
def test_a_retry_is_spent_only_where_one_may_help(set_up: str) -> None:
    """As the page says."""
    with pytest.raises(DliException) as caught:
        MAKE[set_up]().execute({})
    assert isinstance(caught.value, DliFailException) is not SCENARIOS[set_up].retried


@pytest.mark.parametrize("set_up", SCENARIOS, indirect=True)
def test_the_log_can_be_read_without_scrolling(set_up: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Short lines at ERROR hold all that the exception says; its traceback has no more than the task itself."""
    with pytest.raises(DliException) as caught:
        MAKE[set_up]().execute({})
    lines = list(lines_of(caught.value))
    logged = [line for line in capsys.readouterr().out.splitlines() if "[error" in line]
    assert len(logged) == len(lines)
    assert all(line in record for line, record in zip(lines, logged, strict=True))
    assert max(map(len, lines)) <= 84
    assert len(lines) <= 14
    said = " ".join(line.strip() for line in lines).replace("What to do: ", "")
    # A semicolon at which a line ends is left out.
    assert said.replace("; ", " ").split() == str(caught.value).replace("; ", " ").split()
    frames = [frame for frame in traceback.extract_tb(caught.tb) if "airflow_provider_dli" in frame.filename]
    assert [frame.name for frame in frames] == ["told"]
    assert caught.value.__cause__ is None or caught.value.__cause__.__traceback__ is None


def test_a_long_message_is_cut_in_the_log_only() -> None:
    """A thousand defects are in the exception and in XCom; the log stays readable. No word is broken."""
    secret = "s" * 300
    failure = DliFailException(f"{secret} " + "word " * 5000, advice="Export again.")
    lines = list(lines_of(failure))
    assert len(lines) == 14
    assert lines[0] == secret
    assert lines[-2:] == [
        "  … the rest stands in the exception below, and in the XCom of the task",
        "What to do: Export again.",
    ]
    assert str(failure).endswith("word  Export again.")
