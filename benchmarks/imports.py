"""What our modules add to the parse of a DAG file, after ``airflow.sdk``; each figure in a process of its own.

Prints medians and the ratio to the import of ``airflow.sdk`` itself, from one run. Bytecode is compiled first,
as an install does.
"""

from __future__ import annotations

import compileall
import json
import statistics
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from figures import note

import airflow_provider_dli

RUNS = 7
LIMIT_MS = 15.0

CODE = """
import json, sys, time
start = time.perf_counter()
import airflow.sdk
from airflow.sdk import BaseOperator, BaseHook, DAG, Param
sdk = time.perf_counter() - start
loaded = set(sys.modules)
start = time.perf_counter()
import {module}
ours = time.perf_counter() - start
heavy = {{"requests", "aiohttp", "boto3", "botocore"}} & (set(sys.modules) - loaded)
print(json.dumps([sdk * 1000, ours * 1000, sorted(heavy)]))
"""

MODULES = [
    "airflow_provider_dli.compat",
    "airflow_provider_dli.get_provider_info",
    "airflow_provider_dli.operators.dli",
    "airflow_provider_dli.hooks.dli",
    "airflow.providers.http.operators.http",
    "airflow.providers.amazon.aws.operators.s3",
    "airflow.providers.databricks.operators.databricks",
    "requests",
    "boto3",
    "huaweicloudsdkdli.v1",
]


def measure(module: str) -> tuple[float, float, list[str]]:
    """Import a module after Airflow, in fresh processes; median milliseconds of both, and what it dragged in."""
    runs = []
    if module.startswith("airflow.providers.") and find_spec(".".join(module.split(".")[:3])) is None:
        raise SystemExit(f"{module} is not installed; make bench installs it")
    for _ in range(RUNS):
        done = subprocess.run(
            [sys.executable, "-c", CODE.format(module=module)], capture_output=True, text=True, check=True
        )
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return statistics.median(r[0] for r in runs), statistics.median(r[1] for r in runs), runs[0][2]


def main() -> int:
    """Print the table; the exit status shows whether the operators keep the limit."""
    compileall.compile_dir(Path(airflow_provider_dli.__file__).parent, quiet=2)
    print(f"{'module, imported after airflow.sdk':42} {'ms':>8} {'of airflow.sdk':>15}  heavy libraries it loads")
    kept = True
    for module in MODULES:
        sdk, ours, heavy = measure(module)
        print(f"{module:42} {ours:8.1f} {ours / sdk:15.2%}  {', '.join(heavy) or '-'}")
        note(f"import {module}", ours / sdk, of="import airflow.sdk")
        if module == "airflow_provider_dli.operators.dli":
            kept = ours <= LIMIT_MS and not heavy
    print(f"operators within {LIMIT_MS:.0f} ms and without heavy libraries: {'yes' if kept else 'NO'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
