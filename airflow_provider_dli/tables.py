"""Old place of :mod:`airflow_provider_dli.formatting`; goes at the end of issue 21."""

from airflow_provider_dli.formatting import markdown_table, text_table

__all__ = ["markdown_table", "text_table"]
