"""One cell of the comparison: a DAG, run by a real Airflow while something goes wrong, and its outcome."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from foreign import Foreign
from mishaps import EXPORT, FAILED, SUCCEEDED, Mishap
from ways import ROOT, WRONG, Way

from dli_emulator import Emulator

#: runs ``airflow`` with arguments and an environment; its output goes to the file
Command = Callable[[list[str], dict[str, str], Path], Any]
_SIGNATURE = re.compile(rb"Signature=[0-9a-f]{64}")
#: what `airflow dags test` of Airflow 3 logs at DEBUG of each secret that it masks, whoever registered it
_AIRFLOWS_OWN = re.compile(rb"^.*Sending request .*msg=MaskSecret\(.*$", re.MULTILINE)
_LONGEST = 300


def home_of(way: Way, home: Path) -> dict[str, str]:
    """Make an Airflow with the DAG and the stand-in; return its environment.

    :param home: its ``AIRFLOW_HOME``, made again
    """
    shutil.rmtree(home, ignore_errors=True)
    for source, folder in ((way.file, "dags"), (ROOT / "comparison/stand_in/airflow_local_settings.py", "config")):
        (home / folder).mkdir(parents=True)
        shutil.copy(source, home / folder)
    omitted = ("AIRFLOW", "PYTHON", "COVERAGE", "HUAWEICLOUD", "AWS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(omitted)}
    return {
        **kept,
        "PATH": f"{way.bin}{os.pathsep}{os.environ['PATH']}",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "COMPARISON_FAILURES": str(home / "failures"),
    }


def command_of(way: Way) -> Command:
    """Return the command line of a way's Airflow."""

    def run(arguments: list[str], environment: dict[str, str], output: Path) -> int:
        with output.open("wb") as file:
            return subprocess.run(
                [way.bin / "airflow", *arguments], env=environment, stdout=file, stderr=file, check=False
            ).returncode

    return run


def cell(
    way: Way,
    mishap: Mishap,
    emulator: Emulator,
    foreign: Foreign,
    environment: Mapping[str, str],
    command: Command,
) -> dict[str, Any]:
    """Run the DAG while something goes wrong; return the outcome.

    :param environment: of the way's Airflow, see :func:`home_of`
    :param command: runs it
    """
    home = Path(environment["AIRFLOW_HOME"])
    shutil.rmtree(home / "logs", ignore_errors=True)
    (home / "failures").write_text("")
    foreign.visits.clear()
    emulator.reset()
    given = _prepare(way, mishap, emulator, foreign)
    level = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"} if mishap.debug else {}
    began = time.monotonic()
    command(["dags", "test", f"nightly_{way.dag}"], {**environment, **given, **level}, home / "output")
    seconds = time.monotonic() - began
    states, tries = _ended(home)
    requests = [request for request in emulator.requests if request.operation == EXPORT]
    failures = [json.loads(line) for line in (home / "failures").read_text(encoding="utf-8").splitlines()]
    state = SUCCEEDED if states and set(states.values()) == {"success"} else FAILED
    return {
        "state": state,
        "tasks": states,
        "tries": tries,
        "message": "" if state == SUCCEEDED else _message(failures),
        "requests": len(requests),
        "exports": sum(request.acted for request in requests),
        "foreign": foreign.visits[:],
        "secrets": leaked(home, emulator),
        "seconds": round(seconds),
    }


def is_right(mishap: Mishap, found: Mapping[str, Any]) -> bool:
    """Return whether a cell is as it should be: its state, one export at most, and nothing given away."""
    credentials = any(found["foreign"])
    secret = [name for name in found["secrets"] if name != "signature"]
    return found["state"] == mishap.right and found["exports"] <= 1 and not credentials and not secret


def _prepare(way: Way, mishap: Mishap, emulator: Emulator, foreign: Foreign) -> dict[str, str]:
    """Have the emulator go this way; the variables that connect the DAG."""
    for name, value in mishap.settings.items():
        setattr(emulator.state.settings, name, value)
    if mishap.kind:
        emulator.fault(EXPORT, mishap.kind, times=mishap.times, **mishap.parameters)
    if mishap.redirects:
        headers = {"Location": f"{foreign.url}/v1.0/x/streaming/jobs/export"}
        emulator.fault(EXPORT, "reply", times=None, status=307, headers=headers)
    given = way.connect(emulator, WRONG if mishap.wrong_secret else None)
    if mishap.by_token and way.name == "ours":
        given = {"AIRFLOW_CONN_DLI_DEFAULT": emulator.connection("password")}
    return {**given, "AIRFLOW_VAR_DLI_BACKUP_BUCKET": emulator.bucket}


def _ended(home: Path) -> tuple[dict[str, str], int]:
    """Return from Airflow's database how the tasks of the last run ended, and the most attempts of one."""
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        (run_id,) = database.execute("SELECT run_id FROM dag_run ORDER BY id DESC LIMIT 1").fetchone() or (None,)
        query = "SELECT task_id, state, try_number FROM task_instance WHERE run_id = ?"
        rows = database.execute(query, (run_id,)).fetchall()
    return {task: str(state) for task, state, _ in rows}, max((tries for *_, tries in rows), default=0)


def _message(failures: list[dict[str, Any]]) -> str:
    """Return the message of the last failure in one line."""
    if not failures:
        return ""
    line = " ".join(f"{failures[-1]['type']}: {failures[-1]['message']}".split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def leaked(home: Path, emulator: Emulator) -> list[str]:
    """Name the secrets that an Airflow keeps: in its output, its logs and its database."""
    secrets = {"secret key": [emulator.secret_key, WRONG], "password": [emulator.state.identity.password]}
    secrets["token"] = list(emulator.state.keys.tokens)
    kept = [_AIRFLOWS_OWN.sub(b"", path.read_bytes()) for path in _written(home)]
    found = [what for what, values in secrets.items() if any(v.encode() in text for v in values for text in kept)]
    return found + (["signature"] if any(_SIGNATURE.search(text) for text in kept) else [])


def _written(home: Path) -> Iterable[Path]:
    yield from (path for path in (home / "output", home / "failures", home / "airflow.db") if path.exists())
    yield from (path for path in (home / "logs").rglob("*") if path.is_file())
