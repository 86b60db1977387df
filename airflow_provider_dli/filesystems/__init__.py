"""Filesystems for :class:`airflow.sdk.ObjectStoragePath`."""
