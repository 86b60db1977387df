"""Proves a ZIP archive whole. Knows ZIP and a seekable binary reader, nothing else."""

from airflow_provider_dli.archive.expectation import Expectation
from airflow_provider_dli.archive.inspection import Level, inspect
from airflow_provider_dli.archive.limits import Limits
from airflow_provider_dli.archive.report import Entry, Finding, Report

__all__ = ["Entry", "Expectation", "Finding", "Level", "Limits", "Report", "inspect"]
