"""Export all Flink jobs of a project every night and verify the archives: with Huawei's own provider.

It has no Flink operator, and the SDK that it pins has no export of Flink jobs. So the request is written by hand
and sent by its hook, which signs it; waiting and reading are its sensor and its OBS hook.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.exceptions import AirflowFailException
from airflow.providers.common.compat.sdk import DAG, task
from airflow.providers.huawei.cloud.sensors.huawei_obs_key import OBSObjectKeySensor


@task
def export(endpoint: str, obs_dir: str) -> list[str]:
    """Request the export from DLI; return the archives, each as ``obs://bucket/key``."""
    from airflow.providers.huawei.cloud.hooks.dli import DLIHook

    body = {"obs_dir": obs_dir, "is_selected": False}
    reply = DLIHook().post_request(f"{endpoint}/v1.0/$PROJECT_ID/streaming/jobs/export", body).json()
    if str(reply.get("is_success")).lower() != "true" or not reply.get("zip_file"):
        raise AirflowFailException(f"DLI exported nothing: {reply.get('message')}")
    return [f"obs://{archive}" for archive in reply["zip_file"]]


@task
def verify(archives: list[str]) -> None:
    """Read each archive back, and check every entry's CRC."""
    import tempfile
    import zipfile

    from airflow.providers.huawei.cloud.hooks.huawei_obs import OBSHook

    hook = OBSHook()
    for archive in archives:
        bucket, key = OBSHook.parse_obs_url(archive)
        with tempfile.TemporaryDirectory() as folder:
            path = hook.get_object(object_key=key, download_path=f"{folder}/archive.zip", bucket_name=bucket)
            try:
                with zipfile.ZipFile(path) as opened:
                    damaged = opened.testzip()
            except zipfile.BadZipFile as error:
                raise AirflowFailException(f"{archive} is damaged: {error}") from error
        if damaged:
            raise AirflowFailException(f"{archive} is damaged: bad CRC of {damaged}")


with DAG(
    "nightly_huawei",
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"retries": 2},
):
    exported = export(
        endpoint="{{ var.value.dli_endpoint }}",
        obs_dir="{{ var.value.dli_backup_bucket }}/flink/{{ ts_nodash }}",
    )
    arrived = OBSObjectKeySensor(task_id="arrived", object_key=exported, poke_interval=5, timeout=30)
    arrived >> verify(exported)
