"""The failures that are most likely: how to produce each, and what the page adds to its message."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_dli.hooks.dli import DliHook
from dli_emulator import Emulator
from tests.failures.dags.failures import BUCKET, MAKE
from tests.zipped import zipped


def _nothing(emulator: Emulator) -> None:
    del emulator


def _damage(emulator: Emulator) -> None:
    content = {"orders.json": json.dumps({"sql": "select 1;" * 50})}
    damaged = bytearray(zipped(content, zipfile.ZIP_DEFLATED))
    damaged[60] ^= 1
    emulator.s3.put_object(Bucket=BUCKET, Key="flink/damaged.zip", Body=bytes(damaged))


def _export(emulator: Emulator) -> None:
    """Put an archive where the import expects it; its jobs still exist."""
    (made,) = DliHook("dli_default").export_flink_jobs(f"{BUCKET}/first", [100, 101]).zip_file
    emulator.s3.copy_object(
        Bucket=BUCKET, Key="flink/again.zip", CopySource={"Bucket": BUCKET, "Key": made.partition("/")[2]}
    )


@dataclass(frozen=True)
class Scenario:
    """One failure.

    :param title: how a user would describe it
    :param remedy: what to do, in more words than the message has
    :param conn_id: a connection of its own, if it has one
    :param changed: fields of that connection that are otherwise
    :param fault: operation, kind and parameters of the emulator's fault
    :param prepare: what must be there
    :param retried: whether Airflow retries it, where the task has retries
    """

    title: str
    remedy: str
    conn_id: str | None = None
    changed: Mapping[str, Any] = field(default_factory=dict)
    fault: tuple[str, str, dict[str, Any]] | None = None
    prepare: Callable[[Emulator], None] = _nothing
    retried: bool = False

    def connections(self, emulator: Emulator) -> dict[str, str]:
        """Return the connections that must be there, as JSON."""
        given = emulator.connection(retry_budget=0)
        if self.conn_id is None:
            return {"dli_default": given}
        fields = json.loads(given)
        for name, value in self.changed.items():
            (fields if name in fields else fields["extra"])[name] = value
        return {"dli_default": given, self.conn_id: json.dumps(fields)}

    def set_up(self, emulator: Emulator) -> None:
        """Prepare the emulator; the connections must be there already."""
        self.prepare(emulator)
        if self.fault:
            operation, kind, parameters = self.fault
            emulator.fault(operation, kind, times=None, **parameters)


SCENARIOS: dict[str, Scenario] = {
    "no_connection": Scenario(
        "The connection does not exist",
        "Create a connection of type *Huawei Cloud DLI* under the id that the message names, or give the task "
        "the id of one that exists as `dli_conn_id`. See [connections](connection.md).",
        retried=True,
    ),
    "wrong_field": Scenario(
        "A field of the connection is not known",
        "Correct its name. Unknown fields are refused, since a misspelt one would go unnoticed: [all "
        "fields](connection.md).",
        conn_id="dli_wrong_field",
        changed={"projectid": "48cc2c48765f481480c7db940d6409d1"},
    ),
    "wrong_secret": Scenario(
        "The key or the secret is wrong",
        "Enter both again; a secret is shown once, when its key is made. [Test](connection.md#testing-it) it "
        "before you run the task again: more than five failures lock the key for five minutes, so the provider "
        "never retries such a request.",
        conn_id="dli_wrong_secret",
        changed={"password": "not-the-secret"},
    ),
    "out_of_reach": Scenario(
        "DLI is out of reach",
        "Check whether the worker can reach the host: a proxy (`proxy`), a private endpoint (`endpoint`), the "
        "region, a security group. Nothing was sent, so nothing can have happened twice.",
        conn_id="dli_out_of_reach",
        changed={"endpoint": "http://127.0.0.1:9"},
        retried=True,
    ),
    "no_permission": Scenario(
        "The user lacks a permission",
        "Have it granted: the action by a policy, or the privilege EXPORT on the job; which of them the message "
        "names. Exporting needs `dli:jobs:export`, restoring `dli:jobs:create`. In a policy of version 1.1 "
        "listing needs `dli:jobs:listAll`, running `dli:jobs:start`, stopping `dli:jobs:stop`; in an identity "
        "policy `dli:jobs:list`, `dli:jobs:startFlinkJob`, `dli:jobs:stopFlinkJob`. [All](permissions.md).",
        fault=(
            "ExportFlinkJobs",
            "error",
            {"status": 403, "code": "DLI.0003", "message": "Permission denied: EXPORT on job 100."},
        ),
    ),
    "no_agency": Scenario(
        "DLI itself may not write to the bucket",
        "DLI writes the archive, not the worker. It needs an agency with permissions on OBS, and the bucket must "
        "be in the project's region. A retry may help: a new agency takes a while to become known.",
        fault=("ExportFlinkJobs", "no_agency", {}),
        retried=True,
    ),
    "throttled": Scenario(
        "Too many requests",
        "The provider has waited as long as `retry_budget` of the connection allows. Raise it, spread the "
        "schedules, or put the tasks of one project into a [pool](howto/limits.md). "
        "[`DliRetryPolicy`](retries.md) retries the task later.",
        conn_id="dli_impatient",
        fault=("ExportFlinkJobs", "throttled", {}),
        retried=True,
    ),
    "wrong_job_ids": Scenario(
        "A job id is not valid",
        "Ids are numbers, with commas, spaces or newlines between. Nothing was sent. To export by name, use "
        "`selection`: [which jobs](operators/export.md).",
    ),
    "unknown_job": Scenario(
        "A job does not exist",
        "It was deleted, or it belongs to another project or region than the connection's. In a batch of "
        "several, the others are exported: the XCom `failed` names those that were not.",
    ),
    "no_bucket": Scenario(
        "The bucket does not exist",
        "Check its name, and the region of the connection. A bucket that is missing is an error at once; "
        "an archive that is missing is waited for.",
    ),
    "archive_missing": Scenario(
        "The archive has not appeared",
        "Check whether the export succeeded, and list the directory. If it comes later than `timeout`, raise "
        "that: [verification](operators/verify.md).",
        retried=True,
    ),
    "archive_damaged": Scenario(
        "The archive is damaged",
        "Keep it as evidence, and export again: the jobs still exist. The XCom of the task has every "
        "finding with entry and byte; [what they mean](findings.md).",
        prepare=_damage,
    ),
    "conflict": Scenario(
        "The jobs to restore exist already",
        "Nothing was changed. Restore into another project (`dli_conn_id`), replace them (`is_cover=True`), or "
        'leave those that exist as they are (`on_conflict="keep"`): [restoring](operators/import.md).',
        prepare=_export,
    ),
}


def message_of(name: str) -> str:
    """Run the task of a scenario that is set up; return the message of its failure."""
    try:
        MAKE[name]().execute({})
    except Exception as error:  # noqa: BLE001 -- whatever a user would see
        return _plain(str(error))
    raise AssertionError(f"{name} succeeded")


def _plain(message: str) -> str:
    """Return a message with what differs from run to run as a user's cloud would have it."""
    for pattern, plain in (
        (r"\(request id [^)]*\)", "(request id 5c1ab5…)"),
        (r"127\.0\.0\.1", "dli.cn-north-4.myhuaweicloud.com"),
    ):
        message = re.sub(pattern, plain, message)
    return message
