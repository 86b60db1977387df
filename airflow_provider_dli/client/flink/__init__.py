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
    FlinkTemplate,
    StreamGraph,
    UpdatedJob,
    create_jar_job,
    create_sql_job,
    create_sql_job_graph,
    create_template,
    delete_template,
    list_templates,
    template_pages,
    update_jar_job,
    update_sql_job,
    update_template,
)
from airflow_provider_dli.client.flink.fields import Ack, checked_job_ids
from airflow_provider_dli.client.flink.jobs import (
    ExecutionGraph,
    FlinkJob,
    delete_job,
    delete_jobs,
    import_savepoint,
    is_missing,
    job_pages,
    list_jobs,
    run_jobs,
    show_execution_graph,
    show_job,
    stop_jobs,
    trigger_savepoint,
)
from airflow_provider_dli.client.flink.pages import Page, Pages
from airflow_provider_dli.client.flink.settings import settings_of, update_settings_of

__all__ = [
    "Ack",
    "Call",
    "CreatedJob",
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
