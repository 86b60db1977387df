"""What each Airflow of the comparison gets beside its DAG: it records why a task failed.

The OBS hook of Huawei's provider has its endpoint in its code, so the emulator's store is put in its place here: a
stand-in for the name server, no part of what is compared.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

_SERVER = os.environ.get("COMPARISON_OBS_SERVER")


def task_policy(task: Any) -> None:
    """Airflow calls this for each task that it reads.

    :param task: the task
    """
    task.on_failure_callback = [_write_down]
    task.on_retry_callback = [_write_down]


def _write_down(context: Any) -> None:
    error = context.get("exception")
    failure = {
        "task": context["ti"].task_id,
        "try": context["ti"].try_number,
        "type": type(error).__name__,
        "message": str(error),
    }
    with Path(os.environ["COMPARISON_FAILURES"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(failure) + "\n")


if _SERVER:
    import obs

    _made = obs.ObsClient.__init__

    def _with_server(self: Any, *args: Any, **kwargs: Any) -> None:
        _made(self, *args, **{**kwargs, "server": _SERVER})

    obs.ObsClient.__init__ = _with_server
