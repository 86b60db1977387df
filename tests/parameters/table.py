"""Every parameter of every operator and sensor with every form: what is read of it, or that it is refused.

Which parameters there are comes from the models, so that a new one is covered by itself. What is right for each
kind and form is in ``tests/golden/parameters.json``; a form that is not there is refused. ``python -m
tests.parameters`` counts; with ``--write`` it writes the file, to be read before it is committed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.parameters.models import Selection
from airflow_provider_dli.parameters.types import Kind
from tests.operators import KINDS, MODELS, parameters_of
from tests.parameters.forms import FORMS, A

GOLDEN = Path(__file__).parents[1] / "golden" / "parameters.json"
#: what is given beside the parameter in question, where the operator takes it
_BESIDE: dict[str, Any] = {
    "obs_dir": "obs-test/night",
    "backup_dir": "obs-test/backups",
    "keep_last": 1,
    "zip_file": A,
    "job_ids": [7],
    "job_mapping": {7: 8},
    "source_conn_id": "dli_default",
    "target_dir": "obs-test/copies",
    "scratch_conn_id": "dli_scratch",
}
#: what is given as well, since what is nothing is read together with another
_TOGETHER: dict[str, dict[str, Any]] = {name: {"user_name": "y"} for name in Selection.model_fields}
_TOGETHER |= {
    "user_name": {"queue_name": "y"},
    "job_ids": {"if_empty": "skip"},
    "is_selected": {"selection": {"queue_name": "y"}},
    "keep_last": {"keep_daily": 1},
}


@dataclass(frozen=True)
class Case:
    """A parameter, or a field of one.

    :param operator: name of the class
    :param parameter: the parameter
    :param field: the field of a selection, where it is one
    """

    operator: str
    parameter: str
    field: str | None = None

    @property
    def name(self) -> str:
        """As a message names it."""
        return f"{self.parameter}.{self.field}" if self.field else self.parameter

    @property
    def kind(self) -> str:
        """Of the parameter, as the golden file has it."""
        model, name = (Selection, self.field) if self.field else (MODELS[self.operator], self.parameter)
        found = next(each for each in model.model_fields[name].metadata if isinstance(each, Kind))
        return f"{found.name}: {self.parameter} of {self.operator}" if found.name == "choice" else found.name

    def make(self, value: Any) -> Any:
        """Return the operator, with this value for the parameter."""
        taken = _taken(self.operator)
        given = {name: each for name, each in _BESIDE.items() if name in taken}
        together = _TOGETHER.get(self.field or self.parameter, {})
        if self.field:
            given["selection"] = {**together, self.field: value}
        else:
            given |= {name: each for name, each in together.items() if name in taken} | {self.parameter: value}
        return _operator(self.operator)(task_id="task", **given)

    def read(self, operator: Any) -> Any:
        """Return what is read of the parameter.

        :raises ConfigurationError: if it is refused
        """
        options: Any = MODELS[self.operator].from_operator(operator)
        found = getattr(options, self.parameter)
        return getattr(found, self.field) if self.field else found


@cache
def _taken(operator: str) -> dict[str, Any]:
    return parameters_of(_operator(operator))


@cache
def _operator(name: str) -> Any:
    return next(each for each in KINDS if each.__name__ == name)


def cases() -> Iterator[Case]:
    """Return every parameter, and every field of a selection."""
    for operator, model in MODELS.items():
        yield from (Case(operator, name) for name in model.model_fields)
    yield from (Case("DliExportFlinkJobsOperator", "selection", name) for name in Selection.model_fields)


@cache
def golden() -> dict[str, dict[str, str]]:
    """Return what is read of each form, by kind of parameter."""
    found: dict[str, dict[str, str]] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


def measured() -> dict[str, dict[str, str]]:
    """Return the same as it is now."""
    found: dict[str, dict[str, str]] = {}
    for case in cases():
        if case.kind in found:
            continue
        read = found.setdefault(case.kind, {})
        for form, make in FORMS.items():
            try:
                read[form] = repr(case.read(case.make(make())))
            except ConfigurationError:
                continue
    return found
