"""Airflow's command line without its start-up: a process that has imported Airflow, and forks for each command.

``python tests/airflow_cli.py`` takes a line of JSON for each command on standard input: ``arguments``,
``environment``, and ``output``, the file that its output goes to; it answers with the exit status.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path


class AirflowCli:
    """Runs ``airflow`` commands, each in a process of its own.

    :param environment: of the process that has imported Airflow; Airflow reads most of it again for each command
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, arguments: list[str], environment: Mapping[str, str], output: Path) -> int:
        """Run a command; its exit status.

        :param arguments: after ``airflow``
        :param environment: all of it
        :param output: file that standard output and error go to
        """
        assert self._process.stdin
        assert self._process.stdout
        order = {"arguments": arguments, "environment": dict(environment), "output": str(output)}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()


def serve() -> None:
    """Import Airflow, then fork for each command."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import airflow.cli.commands.dag_command  # noqa: PLC0415 -- after standard output is out of its way
    import airflow.models  # noqa: F401, PLC0415

    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            command(order["arguments"], order["environment"], order["output"])
        answers.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        answers.flush()


def command(arguments: list[str], environment: dict[str, str], output: str) -> None:
    """Run one command in this process, and end it."""
    from airflow.__main__ import main  # noqa: PLC0415 -- see above

    os.environ.clear()
    os.environ.update(environment)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = ["airflow", *arguments]
    status: object = 1
    try:
        main()  # type: ignore[no-untyped-call]  # Airflow's
        status = 0
    except SystemExit as end:
        status = end.code
    except BaseException:  # noqa: BLE001 -- printed as Python would, and then it ends
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else int(status is not None))


if __name__ == "__main__":
    serve()
