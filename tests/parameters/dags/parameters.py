"""Values as Airflow hands them over: mapped, rendered, from XCom, from a trigger form.

The outcome of each task is in tests/parameters/test_airflow.py. The DAG ``parameters`` renders templates to
text, ``parameters_native`` to values of Python.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

try:
    from airflow.sdk import DAG, Param, task
except ImportError:  # Airflow 2
    from airflow.decorators import task  # type: ignore[attr-defined,no-redef]
    from airflow.models import DAG, Param

from airflow_provider_dli.operators.dli import (
    DliExportFlinkJobsOperator,
    DliListFlinkJobsOperator,
    DliVerifyFlinkExportOperator,
)

# Each task is refused, or not, for itself.
ALWAYS: dict[str, Any] = {"trigger_rule": "all_done"}
PLACE = "{{ params.bucket }}/{{ dag.dag_id }}/{{ ti.task_id }}/{{ ti.map_index }}"
#: a form that nobody has filled in but for the bucket
FORM = {
    "bucket": Param("obs-test", type="string"),
    "queue": Param(None, type=["null", "string"]),
    "jobs": Param([100, "101"], type=["null", "array"]),
    "text": Param("", type=["null", "string"]),
    "flag": Param(False, type="boolean"),
    "seconds": Param("10", type="string"),
    "number": Param(2, type="integer"),
}


def export(task_id: str, **given: Any) -> DliExportFlinkJobsOperator:
    """Define an export into a directory of its own."""
    return DliExportFlinkJobsOperator(task_id=task_id, **{"obs_dir": PLACE, **ALWAYS, **given})


def rendered() -> None:
    """Define what templates render to: nothing, flags, numbers, lengths of time."""
    export("p3_empty", selection={"queue_name": "{{ params.queue }}"}, if_empty="succeed")
    export("p3_tag", selection={"tags": {"team": "{{ params.text }}"}}, if_empty="succeed")
    export("p6_item", job_selected=[100, "{{ params.text }}"])
    export("p4_false", job_selected=[100, 999999], allow_partial="{{ params.flag }}")
    export("p4_true", job_selected=[100, 999999], allow_partial="{{ not params.flag }}")
    export("p5_number", job_selected=[100, 101, 102], batch_size="{{ params.number }}")
    export("given_none", job_selected="{{ params.queue }}")
    export("all_plainly", job_selected="{{ params.queue }}", is_selected="{{ params.flag }}")


with DAG("parameters_native", schedule=None, params=FORM, render_template_as_native_obj=True):
    rendered()

with DAG("parameters", schedule=None, params=FORM):
    rendered()
    export("p5_text", job_selected="{{ params.jobs }}", reconcile_timeout="{{ params.seconds }}")
    export("p7_none", job_selected=100, obs_dir="{{ none }}")
    export("p3_beside", selection={"queue_name": "{{ params.queue }}", "name_pattern": "orders_*"})
    export("p5_timedelta", job_selected=100, reconcile_timeout="{{ macros.timedelta(seconds=10) }}")
    DliListFlinkJobsOperator(task_id="list_empty", queue_name="{{ params.queue }}", if_empty="succeed", **ALWAYS)

    @task
    def rows() -> list[dict[str, Any]]:
        """Return arguments of instances, as a query or a file would give them."""
        return [
            {"job_selected": [100]},
            {"job_selected": None},
            {"selection": None},
            {"job_selected": None, "is_selected": False},
        ]

    DliExportFlinkJobsOperator.partial(task_id="p1", obs_dir=PLACE).expand_kwargs(rows())
    DliExportFlinkJobsOperator.partial(task_id="p1_partial", job_selected=None).expand(obs_dir=[PLACE])

    one = export("one", job_selected=[100, 101])
    mapped = DliExportFlinkJobsOperator.partial(task_id="mapped", obs_dir=PLACE).expand(
        job_selected=[[100], [101]]
    )

    @task
    def expectations(archives: Any) -> list[dict[str, Any]]:
        """Return arguments of verifications."""
        return [
            {"zip_file": archives, "expected_jobs": [100, 101]},
            {"zip_file": archives, "expected_jobs": None},
            {"zip_file": archives, "max_age": None},
        ]

    DliVerifyFlinkExportOperator.partial(task_id="p2").expand_kwargs(expectations(one.output))

    listed = DliListFlinkJobsOperator(task_id="listed", name_pattern="orders_*")
    DliVerifyFlinkExportOperator(task_id="p6_mapped", zip_file=mapped.output, timeout=timedelta(seconds=20))
    DliVerifyFlinkExportOperator(task_id="p6_both", zip_file=[one.output, mapped.output], expected_jobs=[100])
    export("p6_rows", job_selected=listed.output)
    DliVerifyFlinkExportOperator(task_id="p6_wrong", zip_file=listed.output, **ALWAYS)

    @task
    def by_hook(bucket: str, how: str) -> Any:
        """Return what the hook returned: its archives, or all of it."""
        from airflow_provider_dli.hooks.dli import DliHook  # noqa: PLC0415 -- when it runs, not when it is read

        result = DliHook().export_flink_jobs(f"{bucket}/by_hook/{how}", [100])
        return result.zip_file if how == "archives" else asdict(result)

    archives = by_hook.override(task_id="archives")("{{ params.bucket }}", "archives")
    whole = by_hook.override(task_id="whole")("{{ params.bucket }}", "whole")

    @task
    def read(first: Any, second: Any) -> int:
        """Return how many archives two tasks returned."""
        return len(first) + len(second["zip_file"])

    read(archives, whole)
    text = DliVerifyFlinkExportOperator(task_id="p8_text", zip_file="{{ ti.xcom_pull('archives') }}")
    archives >> text
    text_of_whole = DliVerifyFlinkExportOperator(task_id="p8_whole", zip_file="{{ ti.xcom_pull('whole') }}")
    whole >> text_of_whole
