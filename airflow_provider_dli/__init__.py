"""Airflow provider for Huawei Cloud Data Lake Insight (DLI)."""

__version__ = "0.1.0"
