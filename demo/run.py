"""`make demo`: the main job end to end, through real Airflow, against the emulator; then the proof.

Everything it writes is in ``.demo``; every process it starts ends with it.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from environment import (
    ROOT,
    StepFailedError,
    airflow_environment,
    end_as_interrupted,
    fresh_folder,
    run_airflow,
    run_emulator,
)

from airflow_provider_dli.archive import inspect
from airflow_provider_dli.client.exchange import Account, request_flow, utc_now
from airflow_provider_dli.client.flink import list_jobs
from airflow_provider_dli.client.locations import parse_archive
from airflow_provider_dli.client.obs.client import make_client
from airflow_provider_dli.client.transport.sync import SyncTransport
from airflow_provider_dli.connection import to_account

DAG_ID = "dli_export_flink_jobs"
SHOWN = 6


class Steps:
    """A line for each step, with its time."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __call__(self, text: str) -> None:
        """Print what is being done."""
        print(f"[{time.monotonic() - self._started:5.1f} s] {text}", flush=True)


def main() -> int:
    """Run the demo; the exit status."""
    end_as_interrupted()
    folder = fresh_folder(".demo")
    step = Steps()
    try:
        step("Starting the DLI emulator and an object store")
        with run_emulator(folder) as emulator:
            results = export_and_verify(folder, emulator, step)
            step("Reading the archive back, and damaging a copy of it")
            show(folder, emulator, results)
    except StepFailedError as failure:
        print(f"\nFAILED: {failure}\n", file=sys.stderr)
        print("\n".join(failure.log.read_text().splitlines()[-30:]), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 1
    return 0


def export_and_verify(folder: Path, emulator: dict[str, Any], step: Steps) -> dict[str, Any]:
    """Run the example DAG in a throw-away Airflow; each task's XCom."""
    environment = airflow_environment(folder / "airflow", emulator)
    step("Preparing a throw-away Airflow (database on SQLite)")
    run_airflow("preparing Airflow", ["db", "migrate"], environment, folder / "airflow-migrate.log")
    step(f"Running the DAG {DAG_ID}: export >> verify")
    run_airflow("the DAG run", ["dags", "test", DAG_ID], environment, folder / "airflow-dag.log")
    results = xcoms(folder / "airflow" / "airflow.db")
    if "verify" not in results:
        raise StepFailedError("the DAG run", folder / "airflow-dag.log")
    return results


def xcoms(database: Path) -> dict[str, Any]:
    """Read what the tasks returned from Airflow's own database."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT task_id, value FROM xcom WHERE key = 'return_value'")
        return {task_id: json.loads(value) for task_id, value in rows}


def show(folder: Path, emulator: dict[str, Any], results: dict[str, Any]) -> None:
    """Print what was exported and what is proven, and show that damage would have been found."""
    account, client = connected(emulator)
    print(f"\nDAG {DAG_ID}: export >> verify, both succeeded.\n")
    show_jobs(account)
    copies = []
    for report in results["verify"]:
        place = parse_archive("zip_file", report["zip_file"])
        copy = folder / Path(place.key).name
        client.download_file(place.bucket, place.key, str(copy))
        show_archive(report, copy)
        copies.append(str(copy.relative_to(ROOT)))
    print("Where to find what")
    print(f"  the task logs           {(folder / 'airflow-dag.log').relative_to(ROOT)}")
    print(f"  the archive             {', '.join(copies)}")
    print("  the DAG                 example_dags/dli_export_flink_jobs.py")
    print("How to go on")
    print("  make ui                 the same in Airflow's UI")
    print("  README.md               into your own Airflow, against your own project\n")


def connected(emulator: dict[str, Any]) -> tuple[Account, Any]:
    """Return the account that the emulator's connection gives, and a client of its object store."""
    account = to_account(AsConnection(json.loads(emulator["airflow_conn"])))
    return account, make_client(account, lambda: SyncTransport().run(account.credentials.keys(utc_now)))


def show_jobs(account: Account) -> None:
    """Print the first of the project's Flink jobs."""
    page = SyncTransport().run(request_flow(list_jobs({"order": "asc"}, limit=100), account))
    print(f"Flink jobs of project {account.project.given}: {page.total_count}")
    for job in page.items[:SHOWN]:
        print(f"  {job.job_id:<6} {job.job_type:<26} {job.status:<24} {job.name}")
    print(f"  … and {page.total_count - SHOWN} more\n")


def show_archive(report: dict[str, Any], copy: Path) -> None:
    """Print one archive: the jobs in it, what was proven, and a damaged copy."""
    with copy.open("rb") as reader:
        inspected = inspect(reader)
    print(f"Archive obs://{report['zip_file']}")
    print(f"  bytes                   {report['size']:,}")
    print(f"  SHA-256                 {report['sha256']}")
    jobs = [entry.name for entry in inspected.entries]
    print(f"  entries                 {len(jobs)}: {', '.join(jobs[:SHOWN])}{' …' if len(jobs) > SHOWN else ''}")
    print("  verified                every entry read to its last byte: structure, checksums, sizes, JSON")
    same = inspected.sha256 == report["sha256"]
    print(f"  read again just now     {'the same bytes' if same else 'OTHER BYTES'}")
    damaged = copy.with_suffix(".damaged.zip")
    shutil.copyfile(copy, damaged)
    with damaged.open("r+b") as file:
        file.seek(report["size"] // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
        file.seek(0)
        found = inspect(file).findings
    print(f"  one bit flipped in it   found: {', '.join(sorted({finding.code for finding in found}))}\n")


class AsConnection:
    """The emulator's connection, read as Airflow would read it."""

    host = schema = port = None

    def __init__(self, fields: dict[str, Any]) -> None:
        self.login = fields["login"]
        self.password = fields["password"]
        extra = fields["extra"]
        self.extra_dejson: dict[str, Any] = json.loads(extra) if isinstance(extra, str) else extra


if __name__ == "__main__":
    sys.exit(main())
