"""Sensors for what Huawei Cloud Data Lake Insight (DLI) leaves in OBS."""
