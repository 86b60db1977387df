"""A backup where nearly nothing may be written, as in a pod that is locked down."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
#: read-only but for one folder, where Airflow has its home; a user that no file has, without a home
POD = """
set -e
mkdir "$WRITABLE"
for folder in /tmp /var/tmp "$CHECKOUT"; do mount --bind "$folder" "$folder"; done
mount --bind "$WRITABLE" "$WRITABLE"
for folder in /tmp /var/tmp "$CHECKOUT"; do mount -o remount,ro,bind "$folder"; done
exec unshare --user --map-user=50000 --map-group=50000 env -i PATH=/usr/bin:/bin \\
  "AIRFLOW_HOME=$WRITABLE/airflow" \\
  "TMPDIR=$WRITABLE" "PYTHONPATH=$CHECKOUT" "AIRFLOW_CONN_DLI_DEFAULT=$CONNECTION" "$PYTHON" -c "$CODE" "$BUCKET"
"""
CODE = """
import os, pwd, resource, sys
from airflow_provider_dli.operators.dli import DliBackupFlinkJobsOperator, DliCheckBackupCoverageOperator
place = {"backup_dir": sys.argv[1] + "/flink-backups"}
made = DliBackupFlinkJobsOperator(task_id="backup", **place).execute({})
(found,) = DliCheckBackupCoverageOperator(task_id="coverage", **place).execute({})
known = os.getuid() in [each.pw_uid for each in pwd.getpwall()]
writable = os.access(os.getcwd(), os.W_OK)
megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print("DONE", known, writable, os.environ.get("HOME"), made["jobs"], found["covered"], megabytes)
"""
MOST_MEMORY = 512


@pytest.mark.skipif(
    os.getuid() != 0 or not shutil.which("unshare"), reason="only root makes file systems read-only"
)
def test_a_locked_pod_is_enough(dli_emulator: Any, tmp_path: Path) -> None:
    """No user, no home, no file system but one folder, and 512 MB of memory."""
    values = {
        "WRITABLE": str(tmp_path / "writable"),
        "CHECKOUT": str(ROOT),
        "CONNECTION": dli_emulator.airflow_conn,
        "PYTHON": sys.executable,
        "CODE": CODE,
        "BUCKET": dli_emulator.bucket,
    }
    command = ["unshare", "--mount", "sh", "-c", POD]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | values, capture_output=True, text=True, check=False, timeout=120
    )
    last = done.stdout.rstrip().rpartition("\n")[2].split()
    assert last[:-1] == ["DONE", "False", "False", "None", "26", "26"], done.stdout + done.stderr
    assert int(last[-1]) < MOST_MEMORY
