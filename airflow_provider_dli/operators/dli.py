"""Operators for Huawei Cloud Data Lake Insight (DLI).

What a task needs is imported when it runs: this module is read with every DAG file that uses it.
"""

from __future__ import annotations

from airflow_provider_dli.operators.backup import DliBackupFlinkJobsOperator
from airflow_provider_dli.operators.copying import DliCopyBackupsOperator
from airflow_provider_dli.operators.coverage import DliCheckBackupCoverageOperator
from airflow_provider_dli.operators.drill import DliDrillBackupsOperator
from airflow_provider_dli.operators.export import DliExportFlinkJobsOperator
from airflow_provider_dli.operators.jobs import (
    DliDeleteFlinkJobsOperator,
    DliListFlinkJobsOperator,
    DliRunFlinkJobsOperator,
    DliSavepointFlinkJobsOperator,
    DliStopFlinkJobsOperator,
)
from airflow_provider_dli.operators.restore import (
    DliCompareFlinkJobsOperator,
    DliImportFlinkJobsOperator,
    DliPromoteFlinkJobsOperator,
    DliRestoreFlinkJobsOperator,
)
from airflow_provider_dli.operators.retention import DliExpireBackupsOperator
from airflow_provider_dli.operators.verify import DliVerifyBackupsOperator, DliVerifyFlinkExportOperator

__all__ = [
    "DliBackupFlinkJobsOperator",
    "DliCheckBackupCoverageOperator",
    "DliCompareFlinkJobsOperator",
    "DliCopyBackupsOperator",
    "DliDeleteFlinkJobsOperator",
    "DliDrillBackupsOperator",
    "DliExpireBackupsOperator",
    "DliExportFlinkJobsOperator",
    "DliImportFlinkJobsOperator",
    "DliListFlinkJobsOperator",
    "DliPromoteFlinkJobsOperator",
    "DliRestoreFlinkJobsOperator",
    "DliRunFlinkJobsOperator",
    "DliSavepointFlinkJobsOperator",
    "DliStopFlinkJobsOperator",
    "DliVerifyBackupsOperator",
    "DliVerifyFlinkExportOperator",
]
