"""Huawei Cloud as DLI speaks it: values, signature, conversation, drivers. Never imports Airflow."""
