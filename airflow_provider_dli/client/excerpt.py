"""Old place of :func:`airflow_provider_dli.escaping.excerpt`; goes at the end of issue 21."""

from airflow_provider_dli.escaping import excerpt

__all__ = ["excerpt"]
