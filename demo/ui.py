"""`make ui`: the example DAGs in Airflow's own UI, connected to the emulator, until Ctrl-C.

Everything it writes is in ``.ui``; every process it starts ends with it.
"""

from __future__ import annotations

import io
import json
import sys
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

from environment import ROOT, StepFailedError, airflow_environment, end_as_interrupted, fresh_folder, run_emulator
from run import connected
from standalone import Standalone, standalone

from airflow_provider_dli.connection_form import EXTRAS

#: connection -> what it is for, and the project that the emulator adds for it
CONNECTIONS = {
    "dli_default": ("Production", None),
    "dli_scratch": ("Project of the restore drill, which nobody works in", "cn-north-4_scratch"),
    "dli_test": ("Project to promote jobs from", "cn-north-4_test"),
}
PROJECTS = ("--project", "cn-north-4_scratch", "--project", "cn-north-4_test=3")
GUIDE = """
Airflow is at  {url}

  1. Admin, Connections: Edit dli_default, a filled form. The sign left of Edit tests the connection.
  2. DAG dli_export_flink_jobs, Trigger: export and verify succeed. Last night's run comes along, as it
     is scheduled. Task verify, tab Storage, XCom: the report.
  3. dli_export_selected_flink_jobs, Trigger, Flink job ids: 100, 101
  4. dli_export_projects, Trigger, Connections: dli_default and dli_test, one a line
     dli_back_up_changed_flink_jobs, Trigger: the last hour's run backs up all jobs in batches; yours is
     skipped, for none has changed since
  5. dli_restore_flink_jobs, Trigger, If jobs of the same names exist: keep
  6. dli_restore_drill, Trigger: jobs are restored into dli_scratch, compared and deleted
  7. dli_promote_flink_jobs, Trigger, Flink job ids: 126, Replacements: {replacements}
  8. dli_restart_flink_jobs, Trigger, Flink job ids: 103
  9. dli_back_up_flink_jobs, Trigger. Then Browse, DLI backups: which jobs could be restored now, to which
     state, and since when that is proven
     dli_restore_flink_backup, Trigger: the plan of a restore. dli_drill_flink_backups, Trigger: a sample is
     restored into dli_scratch. dli_check_flink_backups, Trigger. dli_verify_flink_backups, Trigger
 10. A failure on purpose: dli_verify_archives, Trigger, Archives: {damaged}
     Task verify fails, for one bit of the archive is wrong. The end of its log names the archive, the
     defect and what to do. More messages, and what to do: docs/troubleshooting.md

Logs are in {logs}. Ctrl-C ends everything."""


def main() -> int:
    """Run the UI until interrupted; the exit status."""
    end_as_interrupted()
    folder = fresh_folder(".ui")
    try:
        print("Starting the DLI emulator, an object store and Airflow; this takes about a minute.", flush=True)
        serve(folder)
    except StepFailedError as failure:
        print(f"\nFAILED: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
    return 0


def serve(folder: Path) -> None:
    """Serve until interrupted.

    :raises StepFailedError: if Airflow does not start, or ends by itself
    """
    log = folder / "airflow.log"
    with run_emulator(folder, *PROJECTS) as emulator:
        environment = airflow_environment(folder / "airflow", emulator)
        # A connection in the environment is not on Airflow's page, and would come before one that is.
        del environment["AIRFLOW_CONN_DLI_DEFAULT"]
        environment["AIRFLOW__DLI__BACKUP_CATALOGUES"] = f"{emulator['bucket']}/flink-backups"
        # Nobody changes the DAGs: reading them again and again costs a small machine one of its cores.
        environment["AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL"] = "300"
        with standalone(environment, log) as airflow:
            for conn_id, (purpose, project) in CONNECTIONS.items():
                given = emulator["projects"][project] if project else emulator["airflow_conn"]
                save_connection(
                    airflow, conn_id, {**json.loads(given), "description": purpose}, emulator["bucket"]
                )
            print_guide(airflow, put_damaged_archive(emulator))
            airflow.process.wait()
    raise StepFailedError("Airflow", log)


def save_connection(airflow: Standalone, conn_id: str, given: dict[str, Any], bucket: str) -> None:
    """Save a connection as the form does, with each of its fields."""
    extra = {name: field.default for name, field in EXTRAS.items()} | given["extra"] | {"bucket": bucket}
    # The Test button of Airflow 3.3.2 sends port 0 where there is none, which its API takes for another one.
    body = {**given, "connection_id": conn_id, "port": 0, "extra": json.dumps(extra)}
    with urllib.request.urlopen(f"{airflow.url}/auth/token", timeout=60) as reply:  # noqa: S310 -- loopback
        token = json.load(reply)["access_token"]
    request = urllib.request.Request(  # noqa: S310 -- loopback
        f"{airflow.url}/api/v2/connections",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=60).close()  # noqa: S310 -- loopback


def put_damaged_archive(emulator: dict[str, Any]) -> str:
    """Put an archive with one wrong bit into the bucket; return its place."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        writer.writestr(
            "orders.json", json.dumps({"name": "orders", "sql_body": "insert into a select * from b;"})
        )
    damaged = bytearray(archive.getvalue())
    damaged[60] ^= 1
    _, store = connected(emulator)
    store.put_object(Bucket=emulator["bucket"], Key="damaged.zip", Body=bytes(damaged))
    return f"{emulator['bucket']}/damaged.zip"


def print_guide(airflow: Standalone, damaged: str) -> None:
    """Print where it is and what to press."""
    print(
        GUIDE.format(
            url=airflow.url,
            replacements='{"source_0": "orders"}',
            damaged=damaged,
            logs=airflow.log.parent.relative_to(ROOT),
        ),
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
