"""Errors pass between processes: each class of ours, found by itself, comes back as it was."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

import airflow_provider_dli
from airflow_provider_dli.client.errors import ConfigurationError, DliClientError, ThrottledError
from airflow_provider_dli.exceptions import DliException

_ROOTS = (DliClientError, DliException)
_APART = "airflow_provider_dli.example_dags"
#: a value for each parameter that a class takes
_VALUES: dict[str, Any] = {
    "field": "obs_dir", "problem": "'x' cannot be", "remedy": "give another", "operation": "ExportFlinkJobs",
    "host": "dli.example.com", "reason": "SSLError: no", "status": 429, "code": "APIGW.0308",
    "message": "slow\ndown", "request_id": "r-1", "advice": "wait",
}  # fmt: skip


def classes() -> list[type[BaseException]]:
    """Find all classes of errors, also in modules that are not imported yet."""
    for module in pkgutil.walk_packages(airflow_provider_dli.__path__, "airflow_provider_dli."):
        if not module.name.startswith(_APART) and "__main__" not in module.name:
            with suppress(ModuleNotFoundError):  # what not every Airflow comes with
                importlib.import_module(module.name)
    found: list[type[BaseException]] = []
    left: list[type[BaseException]] = list(_ROOTS)
    while left:
        kind = left.pop()
        found.append(kind)
        left += kind.__subclasses__()
    return sorted(set(found), key=lambda kind: kind.__qualname__)


def made(kind: type[BaseException]) -> Any:
    """Make an error as its own constructor wants it."""
    parameters = inspect.signature(kind.__init__).parameters
    given = {name: _VALUES[name] for name in parameters if name in _VALUES}
    return kind(**given) if given else kind("words")


def pickled(protocol: int, error: Any) -> Any:
    return pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 -- our own


WAYS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle {protocol}": partial(pickled, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)},
}


def passed_as_it_was(error: Any, passed: Any) -> None:
    assert type(passed) is type(error)
    assert str(passed) == str(error)
    assert repr(passed) == repr(error)
    assert vars(passed) == vars(error)
    assert passed.args == error.args


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__name__)
def test_an_error_comes_back_as_it_was(kind: type[BaseException], way: str) -> None:
    """With its message, its fields, and attributes that were added later."""
    error = made(kind)
    if isinstance(error, ThrottledError):
        error.retry_after = 7.5
    error.add_note("of task 1")
    passed_as_it_was(error, WAYS[way](error))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "kind", [kind for kind in classes() if issubclass(kind, DliException)], ids=lambda kind: kind.__name__
)
def test_what_the_client_found_comes_along(kind: type[DliException], way: str) -> None:
    """Code, advice, whether the outcome is known: what decides about a retry."""
    cause = made(ThrottledError)
    cause.retry_after = 7.5
    error: Any = made(kind)
    error.__cause__ = cause
    passed = WAYS[way](error)
    passed_as_it_was(error, passed)
    passed_as_it_was(cause, passed.error)
    assert (passed.advice, passed.outcome_unknown) == (error.advice, error.outcome_unknown)


@pytest.mark.parametrize("way", WAYS)
def test_foreign_causes_are_dropped(way: str) -> None:
    """It may be one that cannot be pickled."""
    error = ConfigurationError("a", "b", "c")
    error.__cause__ = OSError(lambda: None)
    assert str(WAYS[way](error)) == str(error)


def test_there_are_as_many_as_one_would_think() -> None:
    """Of modules deep below too."""
    names = {kind.__name__ for kind in classes()}
    assert {"MissingError", "ReplacedError", "NoSuchBucketError", "DliFailException", "NotSentError"} <= names
