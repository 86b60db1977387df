"""Verify a ZIP archive. Knows ZIP and a seekable binary reader, nothing else."""

from airflow_provider_dli.archive.inspection import Expectation, Level, Limits, inspect
from airflow_provider_dli.archive.report import Entry, Finding, Report

__all__ = ["Entry", "Expectation", "Finding", "Level", "Limits", "Report", "inspect"]
