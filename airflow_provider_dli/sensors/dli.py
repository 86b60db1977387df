"""Sensors for Huawei Cloud Data Lake Insight (DLI).

What a task needs is imported when it runs: this module is read with every DAG file that uses it.
"""

from __future__ import annotations

from airflow_provider_dli.sensors.archives import DliExportArchiveSensor
from airflow_provider_dli.sensors.jobs import DliFlinkJobSensor

__all__ = ["DliExportArchiveSensor", "DliFlinkJobSensor"]
