"""Export, verify on the triggerer, import over what is there: every task that OpenLineage is told of."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_dli.operators.dli import (
    DliCompareFlinkJobsOperator,
    DliExportFlinkJobsOperator,
    DliImportFlinkJobsOperator,
    DliVerifyFlinkExportOperator,
)

# Under load Airflow's scheduler now and then takes the end of a deferred task's first half for that of the second.
with DAG("lineage", schedule=None, default_args={"retries": 2, "retry_delay": timedelta(seconds=1)}):
    export = DliExportFlinkJobsOperator(
        task_id="export", obs_dir="{{ dag_run.conf['obs_dir'] }}", job_selected=[100, 101]
    )
    verify = DliVerifyFlinkExportOperator(
        task_id="verify", zip_file=export.output, report_to="{{ dag_run.conf['obs_dir'] }}"
    )
    restore = DliImportFlinkJobsOperator(task_id="restore", zip_file=export.output, is_cover=True)
    compare = DliCompareFlinkJobsOperator(task_id="compare", job_mapping=restore.output)
    verify >> restore
