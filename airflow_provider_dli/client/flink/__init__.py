"""DLI's Flink operations: for each a function that makes its call, its result and its parser.

Follows the *Flink Job APIs* of the DLI API reference; every function names its page.
"""

from __future__ import annotations

from airflow_provider_dli.client.call import Call
from airflow_provider_dli.client.flink.archives import (
    ExportResult,
    ImportResult,
    JobMapping,
    export_jobs,
    import_jobs,
)
from airflow_provider_dli.client.flink.definitions import (
    CreatedJob,
    UpdatedJob,
    create_jar_job,
    create_sql_job,
    settings_of,
    update_jar_job,
    update_settings_of,
    update_sql_job,
)
from airflow_provider_dli.client.flink.graphs import (
    ExecutionGraph,
    StreamGraph,
    create_sql_job_graph,
    show_execution_graph,
)
from airflow_provider_dli.client.flink.jobs import FlinkJob, is_missing, job_pages, list_jobs, show_job
from airflow_provider_dli.client.flink.lifecycle import delete_job, delete_jobs, run_jobs, stop_jobs
from airflow_provider_dli.client.flink.pages import Page, Pages
from airflow_provider_dli.client.flink.savepoints import import_savepoint, trigger_savepoint
from airflow_provider_dli.client.flink.templates import (
    FlinkTemplate,
    create_template,
    delete_template,
    list_templates,
    template_pages,
    update_template,
)
from airflow_provider_dli.client.flink.values import Done, checked_job_ids

__all__ = [
    "Call",
    "CreatedJob",
    "Done",
    "ExecutionGraph",
    "ExportResult",
    "FlinkJob",
    "FlinkTemplate",
    "ImportResult",
    "JobMapping",
    "Page",
    "Pages",
    "StreamGraph",
    "UpdatedJob",
    "checked_job_ids",
    "create_jar_job",
    "create_sql_job",
    "create_sql_job_graph",
    "create_template",
    "delete_job",
    "delete_jobs",
    "delete_template",
    "export_jobs",
    "import_jobs",
    "import_savepoint",
    "is_missing",
    "job_pages",
    "list_jobs",
    "list_templates",
    "run_jobs",
    "settings_of",
    "show_execution_graph",
    "show_job",
    "stop_jobs",
    "template_pages",
    "trigger_savepoint",
    "update_jar_job",
    "update_settings_of",
    "update_sql_job",
    "update_template",
]
