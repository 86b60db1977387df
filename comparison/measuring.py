"""What a DAG file costs: lines of code, and the time to read it."""

from __future__ import annotations

import ast
import io
import json
import statistics
import subprocess
import tokenize
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ways import Way

from dli_emulator import Emulator

ROUNDS = 9
_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
#: run in a fresh process of a way's environment: what the file costs once Airflow's own names are imported
_CODE = """
import ast, json, sys, time, warnings
warnings.simplefilter("ignore")
try:
    from airflow.sdk import DAG, BaseHook, task
except ImportError:
    from airflow import DAG
    from airflow.decorators import task
    from airflow.hooks.base import BaseHook
source = open(sys.argv[1], encoding="utf-8").read()
if sys.argv[2] == "imports":
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    source = "\\n".join(ast.unparse(node) for node in found if getattr(node, "module", "") != "__future__")
code = compile(source, sys.argv[1], "exec")
start = time.perf_counter()
exec(code, {"__name__": "dag_file"})
print(json.dumps((time.perf_counter() - start) * 1000))
"""
_MODULES = """
import importlib, json, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import airflow
import airflow.providers.huawei as package
root = Path(package.__file__).parent
found = {}
for path in sorted(root.rglob("*.py")):
    parts = path.relative_to(root).with_suffix("").parts
    if path.name != "__init__.py" and "example_dags" not in parts:
        try:
            importlib.import_module(".".join((package.__name__, *parts)))
            found[".".join(parts)] = "ok"
        except Exception as error:
            found[".".join(parts)] = f"{type(error).__name__}: {error}"
print(json.dumps(found))
"""
_FALSE = """
import json, sys
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkdli.v1 import DliClient, ExportFlinkJobsRequest, ExportFlinkJobsRequestBody
endpoint, key, secret, project, bucket = sys.argv[1:]
credentials = BasicCredentials(key, secret, project)
client = DliClient.new_builder().with_credentials(credentials).with_endpoint(endpoint).build()
body = ExportFlinkJobsRequestBody(obs_dir=bucket, is_selected=False)
found = client.export_flink_jobs(ExportFlinkJobsRequest(body=body)).is_success
print(json.dumps([repr(found), bool(found)]))
"""


def lines_of(source: str) -> int:
    """Count the lines that have code: neither empty, nor only a comment, nor of a docstring.

    :param source: of a module
    """
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    counted = {
        line for token in tokens if token.type not in _NO_CODE for line in range(token.start[0], token.end[0] + 1)
    }
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and first.value.value:
                counted -= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return len(counted)


def lines_below(way: Way) -> int:
    """Count the lines of code of the packages that a way's DAG file leans on, as they are installed."""
    return sum(lines_of(path.read_text(encoding="utf-8")) for path in _modules(way))


def _modules(way: Way) -> Iterable[Path]:
    for package in way.counted:
        if way.requirements is None:
            root = way.file.parents[2] / package
        else:
            root = next((way.bin.parent / "lib").glob("python3.*")) / "site-packages" / package
        yield from (path for path in root.rglob("*.py") if "example_dags" not in path.relative_to(root).parts)


def reading_times(ways: Iterable[Way], homes: dict[str, dict[str, str]]) -> dict[str, dict[str, float]]:
    """Measure what reading each DAG file takes, and all its imports at once; median milliseconds.

    Each figure in a process of its own, the ways in turn, so that what else the machine does meets all of them.

    :param homes: for each way, the environment of its Airflow
    """
    runs: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        for way in ways:
            for what in ("file", "imports"):
                took = run_code(way, _CODE, homes[way.name], str(way.file), what)
                runs.setdefault((way.name, what), []).append(took)
    return {
        way.name: {what: round(statistics.median(runs[way.name, what]), 1) for what in ("file", "imports")}
        for way in ways
    }


def importable(way: Way, home: dict[str, str]) -> dict[str, str]:
    """Import each module of Huawei's provider on a way's Airflow; return the outcome of each."""
    return dict(run_code(way, _MODULES, home))


def false_in_sdk(way: Way, home: dict[str, str], emulator: Emulator) -> list[Any]:
    """Return ``is_success: false`` as Huawei's SDK parses it: its representation, and whether it is true."""
    emulator.reset()
    emulator.state.settings.boolean_is_success = True
    emulator.fault("ExportFlinkJobs", "is_success_false")
    who = (emulator.dli, emulator.access_key, emulator.secret_key, emulator.project_id, emulator.bucket)
    return list(run_code(way, _FALSE, home, *who))


def run_code(way: Way, code: str, home: dict[str, str], *arguments: str) -> Any:  # noqa: ANN401 -- what it prints
    """Run code in a way's environment; return the JSON of its last line."""
    command: list[str | Path] = [way.bin / "python", "-c", code, *arguments]
    done = subprocess.run(command, env=home, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])
