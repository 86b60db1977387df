"""Export, verify, import over what is there, compare: every task that is reported to OpenLineage."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_dli.operators.dli import (
    DliCompareFlinkJobsOperator,
    DliExportFlinkJobsOperator,
    DliImportFlinkJobsOperator,
    DliVerifyFlinkExportOperator,
)

with DAG("lineage", schedule=None):
    export = DliExportFlinkJobsOperator(
        task_id="export", obs_dir="{{ dag_run.conf['obs_dir'] }}", job_selected=[100, 101]
    )
    verify = DliVerifyFlinkExportOperator(
        task_id="verify", zip_file=export.output, report_dir="{{ dag_run.conf['obs_dir'] }}"
    )
    restore = DliImportFlinkJobsOperator(task_id="restore", zip_file=export.output, is_cover=True)
    compare = DliCompareFlinkJobsOperator(task_id="compare", job_mapping=restore.output)
    verify >> restore
