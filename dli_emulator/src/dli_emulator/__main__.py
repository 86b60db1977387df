"""``python -m dli_emulator``: the emulator from a shell, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dli_emulator import EmulatorError
from dli_emulator.faults import S3_OPERATIONS, Fault, Faults
from dli_emulator.flink_job import DEFAULT_COUNT
from dli_emulator.policies import Policy
from dli_emulator.routes import OPERATIONS
from dli_emulator.server import Emulator
from dli_emulator.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the emulator until Ctrl-C or SIGTERM.

    :param arguments: of the command line; None takes those of the process
    :returns: 0, or 1 if it could not start
    """
    options = _parser().parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    try:
        with _emulator(options) as emulator:
            emulator.faults.add(*options.fault)
            described: dict[str, Any] = emulator.describe()
            for name, policies in options.user:
                emulator.add_user(name, *policies)
                described.setdefault("users", {})[name] = emulator.connection(user=name)
            for name, jobs in options.project:
                project = emulator.state.add_project(name, jobs=jobs)
                connection = emulator.connection(project_id=project.project_id)
                described.setdefault("projects", {})[name] = connection
            print(json.dumps(described) if options.json else _for_people(described), flush=True)
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        return 0
    except EmulatorError as error:
        print(f"dli emulator: {error}", file=sys.stderr)
        return 1


def _emulator(options: argparse.Namespace) -> Emulator:
    return Emulator(
        port=options.port,
        host=options.host,
        jobs=options.jobs,
        object_store=options.object_store,
        allow_hosts=options.allow_host,
        settings=_settings(options.setting),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dli_emulator",
        description="DLI's Flink job API and enough of IAM on one port, beside an object store.",
    )
    parser.add_argument("--port", type=int, default=0, help="TCP port; 0, the default, takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; default %(default)s")
    parser.add_argument(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="a name that others reach it by, such as that of a container; may be given several times",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, as the first line")
    parser.add_argument("--jobs", type=_count, default=DEFAULT_COUNT, help="number of jobs; default %(default)s")
    parser.add_argument(
        "--object-store",
        metavar="STORE",
        help="seaweedfs, moto, or the URL of one that runs: http://AK:SK@host:port/bucket",
    )
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        help="script a fault, such as ExportFlinkJobs:throttled:times=3,retry_after=1; may be given several times",
    )
    parser.add_argument(
        "--setting",
        metavar="NAME=VALUE",
        type=_setting,
        action="append",
        default=[],
        help="a setting, such as fills_in_settings=true; may be given several times",
    )
    parser.add_argument(
        "--user",
        metavar="NAME=FILE",
        type=_user,
        action="append",
        default=[],
        help="add a user with the IAM policies of a JSON file, without a file one who may do nothing; repeatable",
    )
    parser.add_argument(
        "--project",
        metavar="NAME=JOBS",
        type=_project,
        action="append",
        default=[],
        help="add a project with so many sample jobs, without a number an empty one; repeatable",
    )
    return parser


def _project(text: str) -> tuple[str, int]:
    name, _, jobs = text.partition("=")
    if not name:
        raise argparse.ArgumentTypeError("a project needs a name")
    return name, _count(jobs or "0")


def _user(text: str) -> tuple[str, list[Any]]:
    name, _, file = text.partition("=")
    try:
        read: Any = json.loads(Path(file).read_text(encoding="utf-8")) if file else []
        policies = read if isinstance(read, list) else [read]
        for each in policies:
            Policy.read(each)
    except (OSError, ValueError) as problem:
        raise argparse.ArgumentTypeError(f"{file}: {problem}") from None
    if not name:
        raise argparse.ArgumentTypeError("a user needs a name")
    return name, policies


def _settings(given: Sequence[dict[str, Any]]) -> Settings:
    settings = Settings()
    for each in given:
        settings.change(each)
    return settings


def _setting(text: str) -> dict[str, Any]:
    name, _, value = text.partition("=")
    try:
        parsed: Any = json.loads(value)
    except ValueError:
        parsed = value
    try:
        Settings().change({name: parsed})
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None
    return {name: parsed}


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"not a number of jobs: {text!r}")
    return int(text)


def _fault(text: str) -> Fault:
    try:
        fault = Fault.parse(text)
        Faults((*OPERATIONS, *S3_OPERATIONS)).add(fault)
    except (ValueError, TypeError) as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None
    return fault


def _end(*_: object) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):  # once is enough: let it clean up
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _for_people(described: dict[str, Any]) -> str:
    shown = {name: value for name, value in described.items() if name not in ("airflow_conn", "users", "projects")}
    shown |= {f"user {name}": value for name, value in described.get("users", {}).items()}
    shown |= {f"project {name}": value for name, value in described.get("projects", {}).items()}
    rows = [f"  {name:<12} {value}" for name, value in shown.items()]
    given = {
        "AIRFLOW_CONN_DLI_DEFAULT": described["airflow_conn"],
        "AIRFLOW_VAR_DLI_BACKUP_BUCKET": described["bucket"],
    }
    exports = [f"export {name}={shlex.quote(value)}" for name, value in given.items()]
    return "\n".join(["DLI emulator is up. Ctrl-C ends it.", *rows, "", *exports])


if __name__ == "__main__":
    sys.exit(main())
