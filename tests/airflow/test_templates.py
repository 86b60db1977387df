"""Templated fields: each exists, is marked in its docstring, is rendered, and is readable in the UI."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator, BaseSensorOperator

from airflow_provider_dli.operators import dli as operators
from airflow_provider_dli.sensors import dli as sensors

CLASSES: list[type[BaseOperator]] = [
    getattr(module, name) for module in (operators, sensors) for name in module.__all__
]


def documented(operator: type) -> dict[str, str]:
    """Return the meaning of each parameter in a docstring."""
    parts = re.split(r"\n\s*:(param \w+|raises \w+):", inspect.getdoc(operator) or "")
    return {
        name.removeprefix("param "): text
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
        if name.startswith("param ")
    }


def own_parameters(operator: type) -> dict[str, inspect.Parameter]:
    """Return the parameters of a constructor that are not Airflow's: those that an editor completes."""
    found = inspect.signature(vars(operator)["__init__"]).parameters
    return {name: each for name, each in found.items() if name not in {"self", "kwargs"}}


@pytest.mark.parametrize("operator", CLASSES, ids=lambda each: str(each.__name__))
def test_the_docstring_names_every_parameter_and_what_is_templated(operator: type[BaseOperator]) -> None:
    """No more and no less, each by name only, so that an editor completes it."""
    meanings, taken = documented(operator), own_parameters(operator)
    assert list(meanings) == list(taken)
    assert all(each.kind is inspect.Parameter.KEYWORD_ONLY for each in taken.values())
    own = [field for field in operator.template_fields if field in taken]
    assert set(own) == {name for name, text in meanings.items() if "templated" in text}


@pytest.mark.parametrize("operator", CLASSES, ids=lambda each: str(each.__name__))
def test_a_mapped_task_has_the_defaults_of_airflow(operator: type[BaseOperator]) -> None:
    """Airflow 3.3 takes them from the signatures of all classes, and a task whose inlets are None never starts."""
    plain: Any = BaseSensorOperator if issubclass(operator, BaseSensorOperator) else BaseOperator
    (name, *_) = own_parameters(operator)
    with DAG("mapped", schedule=None):
        expected = plain.partial(task_id="plain").expand(doc_md=["x"]).partial_kwargs
        mapped: Any = operator.partial(task_id="mapped").expand(**{name: ["x"]})
    assert {key: value for key, value in mapped.partial_kwargs.items() if key in expected} == expected


@pytest.mark.parametrize("operator", CLASSES, ids=lambda each: str(each.__name__))
def test_every_templated_field_is_rendered(operator: type[BaseOperator]) -> None:
    """Also those that are texts only in a template: a flag, a mapping, a list."""
    fields = list(operator.template_fields)
    needed: dict[str, Any] = {
        name: "{{ params.given }}"
        for name, each in own_parameters(operator).items()
        if name in fields or each.default is inspect.Parameter.empty
    }
    with DAG("templates", schedule=None, params={"given": "rendered"}) as dag:
        made: Any = operator(task_id="task", **needed)
    made.render_template_fields({"params": dag.params.dump(), "ti": None})
    for field in operator.template_fields:
        assert getattr(made, field) == "rendered", field


@pytest.mark.parametrize("operator", CLASSES, ids=lambda each: str(each.__name__))
def test_renderers_are_of_fields_that_exist(operator: type[BaseOperator]) -> None:
    """A renderer for a field that is none is never used."""
    assert set(operator.template_fields_renderers) <= set(operator.template_fields)


@pytest.mark.parametrize("operator", CLASSES, ids=lambda each: str(each.__name__))
def test_help_reads_as_documentation(operator: type[BaseOperator]) -> None:
    """What it does, what it pushes, units, errors, and where it is in the manual or what it follows."""
    text = inspect.getdoc(operator) or ""
    meanings = documented(operator)
    for name in {
        "timeout",
        "poll_interval",
        "reconcile_timeout",
        "status_grace_period",
        "inactivity_period",
        "max_age",
    } & set(meanings):
        assert "seconds" in meanings[name], name
    for error in ("DliFailException", "DliException"):
        assert f":raises {error}:" in text
    assert "Pushes" in text or "return_value" in text
    first = text.splitlines()[0]
    assert first.endswith(".")
