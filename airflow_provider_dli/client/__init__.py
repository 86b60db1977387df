"""The client of Huawei Cloud's DLI and OBS: calls, signature, request flow, transports. Never imports Airflow."""
