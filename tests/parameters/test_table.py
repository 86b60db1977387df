"""Every parameter with every form, and what a message may show of it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from airflow.serialization.helpers import serialize_template_field

from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.parameters.models import Selection
from dli_emulator import Emulator
from tests.operators import KINDS, MODELS, is_templated, parameters_of
from tests.parameters.forms import FORMS, SECRET
from tests.parameters.table import Case, cases, golden
from tests.sampling import is_tried

pytestmark = pytest.mark.slow

CASES = list(cases())
_NUMBERS = {"whole number", "whole number or 0", "seconds", "positive seconds", "age"}
NUMBERS = [case for case in CASES if case.kind in _NUMBERS]


def test_there_is_a_model_for_each_operator_and_sensor() -> None:
    """With each parameter, all of them templated but ``deferrable``, which a task cannot change any more."""
    assert set(MODELS) == {kind.__name__ for kind in KINDS}
    for kind in KINDS:
        names = set(parameters_of(kind)) - {"deferrable"}
        assert set(MODELS[kind.__name__].model_fields) == names
        assert [name for name in names if not is_templated(kind, name)] == []


def test_there_are_many(record_testsuite_property: Any) -> None:
    """``python -m tests.parameters`` prints how many."""
    count = len(CASES) * len(FORMS)
    record_testsuite_property("parameters x forms", count)
    assert count > 10_000
    assert set(golden()) == {case.kind for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.operator}-{case.name}-{len(FORMS)} forms")
def test_every_form(case: Case, dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read as in the table, or refused by name: in a line, with nothing sent, no secret shown.

    Of the forms that are refused a sixth is tried.
    """
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection())
    expected = golden()[case.kind]
    for form, make in FORMS.items():
        if form in expected:
            assert (form, repr(case.read(case.make(make())))) == (form, expected[form])
            continue
        if not is_tried(f"{case.operator} {case.name} {form}", 12):
            continue
        with pytest.raises(DliFailException) as caught:
            case.make(make()).execute({})
        message = str(caught.value)
        # A filter of a selection is named, and not one of the types that a value may have.
        names = (f"{case.name}: ", "selection.") if case.name == "selection" else f"{case.name}: "
        assert message.startswith(names), form
        assert message.isprintable(), form
        assert len(message) < 700, form
        assert SECRET[: len(SECRET) // 2 + 1] not in message, form
        assert " at 0x" not in message, form
    assert len(dli_emulator.requests) == 0


@pytest.mark.parametrize("operator", MODELS)
def test_a_refusal_comes_before_a_deferral(
    operator: str, dli_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And in ``execute_complete`` again, which another worker may run."""
    monkeypatch.setenv("AIRFLOW_CONN_DLI_DEFAULT", dli_emulator.connection())
    made = Case(operator, "dli_conn_id").make("{{ ")
    if not hasattr(made, "execute_complete"):
        return
    made.deferrable = True
    with pytest.raises(DliFailException, match=r"^dli_conn_id: "):
        made.execute({})
    if operator in ("DliVerifyFlinkExportOperator", "DliExportArchiveSensor"):
        with pytest.raises(DliFailException, match=r"^dli_conn_id: "):
            made.execute_complete({}, event={"status": "done", "pending": ""})
    assert len(dli_emulator.requests) == 0


@pytest.mark.parametrize("case", NUMBERS, ids=lambda case: f"{case.operator}-{case.name}")
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_reaches_the_check(case: Case, value: float) -> None:
    """Airflow cannot write it into a DAG, and refuses it without a name before the task runs."""
    made = case.make(value)
    kept = getattr(made, case.parameter)
    json.dumps(serialize_template_field(kept, case.parameter), allow_nan=False)
    json.dumps(kept, allow_nan=False)
    with pytest.raises(DliFailException, match=rf"^{case.name}: '{value}' is not "):
        made.execute({})


def test_more_items_than_anybody_has_are_refused() -> None:
    """Even where there is no end to them."""
    case = Case("DliDeleteFlinkJobsOperator", "job_ids")

    def endless() -> Any:
        while True:
            yield 1

    with pytest.raises(DliFailException, match=r"^job_ids: holds more than 100,000 items"):
        case.make(endless()).execute({})


def test_a_filter_that_is_nothing_alone_selects_nothing() -> None:
    """For each filter: in a selection, and of a list."""
    for name in Selection.model_fields:
        for value in (None, "None", "", " "):
            with pytest.raises(DliFailException, match=rf"^selection: has nothing in {name}; .* selection=\{{\}}"):
                Case("DliExportFlinkJobsOperator", "selection").make({name: value}).execute({})
            listing = Case("DliListFlinkJobsOperator", "dli_conn_id").make("dli_default")
            listing.given = (name,)
            setattr(listing, name, value)
            with pytest.raises(DliFailException, match=rf"^{name}: was given and filters nothing"):
                listing.execute({})
