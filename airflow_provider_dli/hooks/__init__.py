"""Hooks: from an Airflow connection to calls."""
