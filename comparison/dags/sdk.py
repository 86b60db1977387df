"""Export all Flink jobs of a project every night and verify the archives: with Huawei's SDK and boto3."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, BaseHook, task
from airflow.sdk.exceptions import AirflowFailException


@task
def export(obs_dir: str) -> list[str]:
    """Request the export from DLI; return the archives, each as ``bucket/key``."""
    from huaweicloudsdkcore.auth.credentials import BasicCredentials
    from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException, ServiceResponseException
    from huaweicloudsdkcore.retry.backoff_strategy import BackoffStrategies
    from huaweicloudsdkdli.v1 import DliClient, ExportFlinkJobsRequest, ExportFlinkJobsRequestBody
    from huaweicloudsdkdli.v1.region.dli_region import DliRegion

    def throttled(_: object, error: Exception | None) -> bool:
        return isinstance(error, ServiceResponseException) and error.status_code in (429, 503)

    connection = BaseHook.get_connection("huawei")
    extra = connection.extra_dejson
    credentials = BasicCredentials(connection.login, connection.password, extra["project_id"])
    region = DliRegion.value_of(extra["region"])
    client = DliClient.new_builder().with_credentials(credentials).with_region(region).build()
    request = ExportFlinkJobsRequest(body=ExportFlinkJobsRequestBody(obs_dir=obs_dir, is_selected=False))
    invoker = client.export_flink_jobs_invoker(request)
    try:
        response = invoker.with_retry(throttled, 3, BackoffStrategies.EQUAL_JITTER).invoke()
    except ClientRequestException as error:
        if error.status_code == 429:
            raise
        problem = f"{error.status_code} {error.error_code} {error.error_msg} (request {error.request_id})"
        raise AirflowFailException(f"DLI refused the export: {problem}") from error
    if str(response.is_success).lower() != "true" or not response.zip_file:
        raise AirflowFailException(f"DLI exported nothing: {response.message}")
    return list(response.zip_file)


@task
def verify(archives: list[str]) -> None:
    """Wait for each archive, read it back, and check every entry's CRC."""
    import tempfile
    import zipfile

    import boto3

    connection = BaseHook.get_connection("huawei")
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
    "nightly_sdk",
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"retries": 2},
):
    verify(export("{{ var.value.dli_backup_bucket }}/flink/{{ ts_nodash }}"))
