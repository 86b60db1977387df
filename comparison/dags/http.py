"""Export all Flink jobs of a project every night and verify the archives: with HttpHook and boto3."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from airflow.sdk import DAG, BaseHook, task
from airflow.sdk.exceptions import AirflowFailException


@task
def export(obs_dir: str, domain: str, project_id: str) -> list[str]:
    """Get a token from IAM and request the export from DLI; return the archives, each as ``bucket/key``."""
    from airflow.providers.http.hooks.http import HttpHook
    from airflow.sdk.log import mask_secret

    user = BaseHook.get_connection("huawei_iam")
    who = {"name": user.login, "password": user.password, "domain": {"name": domain}}
    identity = {"methods": ["password"], "password": {"user": who}}
    login = {"auth": {"identity": identity, "scope": {"project": {"id": project_id}}}}
    headers = {"Content-Type": "application/json"}
    options = {"timeout": 60}
    given = HttpHook(http_conn_id="huawei_iam").run("v3/auth/tokens", json.dumps(login), headers, options)
    token = given.headers["X-Subject-Token"]
    mask_secret(token)
    body = json.dumps({"obs_dir": obs_dir, "is_selected": False})
    path = f"v1.0/{project_id}/streaming/jobs/export"
    dli = HttpHook(http_conn_id="huawei_dli")
    response = dli.run(path, body, {**headers, "X-Auth-Token": token}, options).json()
    if str(response.get("is_success")).lower() != "true" or not response.get("zip_file"):
        raise AirflowFailException(f"DLI exported nothing: {response.get('message')}")
    return list(response["zip_file"])


@task
def verify(archives: list[str]) -> None:
    """Wait for each archive, read it back, and check every entry's CRC."""
    import tempfile
    import zipfile

    import boto3

    connection = BaseHook.get_connection("huawei_obs")
    s3 = boto3.client(
        "s3",
        endpoint_url=connection.extra_dejson["obs_endpoint"],
        region_name=connection.extra_dejson["region"],
        aws_access_key_id=connection.login,
        aws_secret_access_key=connection.password,
    )
    for archive in archives:
        bucket, _, key = archive.partition("/")
        waiting = {"Delay": 5, "MaxAttempts": 6}
        s3.get_waiter("object_exists").wait(Bucket=bucket, Key=key, WaiterConfig=waiting)
        with tempfile.TemporaryFile() as file:
            s3.download_fileobj(bucket, key, file)
            try:
                with zipfile.ZipFile(file) as opened:
                    damaged = opened.testzip()
            except zipfile.BadZipFile as error:
                raise AirflowFailException(f"{archive} is damaged: {error}") from error
        if damaged:
            raise AirflowFailException(f"{archive} is damaged: bad CRC of {damaged}")


with DAG(
    "nightly_http",
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"retries": 2},
):
    verify(
        export(
            obs_dir="{{ var.value.dli_backup_bucket }}/flink/{{ ts_nodash }}",
            domain="{{ var.value.huawei_domain }}",
            project_id="{{ var.value.huawei_project_id }}",
        )
    )
