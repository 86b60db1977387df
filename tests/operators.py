"""All operators and sensors: their parameters, as signatures and docstrings have them.

``python -m tests.operators`` writes them between the markers of docs/operators, docs/sensors and parameters.md.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_dli.operators import dli as operators
from airflow_provider_dli.parameters import models
from airflow_provider_dli.parameters.types import Kind
from airflow_provider_dli.sensors import dli as sensors

DOCS = Path(__file__).parents[1] / "docs"
#: of each operator and sensor, how its parameters are read
MODELS: dict[str, type[models.Parameters]] = {
    "DliBackupFlinkJobsOperator": models.BackupParameters,
    "DliCheckBackupCoverageOperator": models.CoverageParameters,
    "DliCompareFlinkJobsOperator": models.CompareParameters,
    "DliCopyBackupsOperator": models.CopyParameters,
    "DliDeleteFlinkJobsOperator": models.DeleteParameters,
    "DliExpireBackupsOperator": models.ExpireParameters,
    "DliDrillBackupsOperator": models.DrillParameters,
    "DliExportFlinkJobsOperator": models.ExportParameters,
    "DliImportFlinkJobsOperator": models.ImportParameters,
    "DliListFlinkJobsOperator": models.ListParameters,
    "DliPromoteFlinkJobsOperator": models.PromoteParameters,
    "DliRestoreFlinkJobsOperator": models.RestoreParameters,
    "DliRunFlinkJobsOperator": models.RunParameters,
    "DliSavepointFlinkJobsOperator": models.SavepointParameters,
    "DliStopFlinkJobsOperator": models.StopParameters,
    "DliVerifyBackupsOperator": models.VerifyBackupsParameters,
    "DliVerifyFlinkExportOperator": models.VerifyParameters,
    "DliExportArchiveSensor": models.ArchiveSensorParameters,
    "DliFlinkJobSensor": models.JobSensorParameters,
}
KINDS: list[Any] = [getattr(module, name) for module in (operators, sensors) for name in module.__all__]
#: the page of each, in docs
PAGES = {
    "DliBackupFlinkJobsOperator": "operators/backup.md",
    "DliCheckBackupCoverageOperator": "operators/coverage.md",
    "DliCompareFlinkJobsOperator": "operators/compare.md",
    "DliCopyBackupsOperator": "operators/copy.md",
    "DliDeleteFlinkJobsOperator": "operators/delete.md",
    "DliExpireBackupsOperator": "operators/expire.md",
    "DliDrillBackupsOperator": "operators/drill.md",
    "DliExportFlinkJobsOperator": "operators/export.md",
    "DliImportFlinkJobsOperator": "operators/import.md",
    "DliListFlinkJobsOperator": "operators/list.md",
    "DliPromoteFlinkJobsOperator": "operators/promote.md",
    "DliRestoreFlinkJobsOperator": "operators/restore.md",
    "DliRunFlinkJobsOperator": "operators/run-and-stop.md",
    "DliSavepointFlinkJobsOperator": "operators/savepoint.md",
    "DliStopFlinkJobsOperator": "operators/run-and-stop.md",
    "DliVerifyBackupsOperator": "operators/verify-backups.md",
    "DliVerifyFlinkExportOperator": "operators/verify.md",
    "DliExportArchiveSensor": "sensors/archive.md",
    "DliFlinkJobSensor": "sensors/job.md",
}
#: how an empty value is read, where it is not refused
_EMPTY = {
    "as if omitted": ". Empty: as if omitted",
    "no filter": ". Empty: no filter",
    "no limit": ". Empty: no limit",
    "names no job: `if_empty` applies": ". Empty: `if_empty` applies",
}
#: parameters that many have, which come last
_SHARED = (
    "wait_for_completion",
    "if_empty",
    "dli_conn_id",
    "timeout",
    "poll_interval",
    "status_grace_period",
    "reconcile_timeout",
    "deferrable",
)


@dataclass(frozen=True)
class Docstring:
    """The docstring of an operator or sensor.

    :param prose: its paragraphs: what it does, and what it pushes to XCom
    :param parameters: the meaning of each, by name
    """

    prose: list[str]
    parameters: dict[str, str]


def docstring_of(kind: Any) -> Docstring:
    """Read the docstring of an operator or sensor."""
    text = inspect.cleandoc(kind.__doc__)
    prose, _, fields = text.partition("\n:param ")
    paragraphs = [_plain(paragraph) for paragraph in prose.strip().split("\n\n")]
    found = re.findall(r"^:param (\w+): (.*?)(?=^:|\Z)", f":param {fields}", re.MULTILINE | re.DOTALL)
    return Docstring(paragraphs, {name: _plain(meaning) for name, meaning in found})


def parameters_of(kind: Any) -> dict[str, Any]:
    """Return its parameters with their defaults, ``inspect.Parameter.empty`` for none; shared ones come last."""
    given = inspect.signature(kind.__init__).parameters.values()
    named = [each for each in given if each.kind is inspect.Parameter.KEYWORD_ONLY]
    return {each.name: each.default for each in sorted(named, key=lambda each: each.name in _SHARED)}


def is_templated(kind: Any, name: str) -> bool:
    """Return whether a parameter is a template field."""
    return name in kind.template_fields


def written(path: Path) -> str:
    """Return a page with its parameters, as the code has them, between its markers."""
    generated = {f"parameters of {kind.__name__}": _parameters(kind) for kind in KINDS}
    generated |= {f"permissions of {kind.__name__}": _permissions(kind.__name__) for kind in KINDS}
    generated["operators"] = "\n".join(_contents())

    def fill(match: re.Match[str]) -> str:
        return f"{match[1]}\n{generated[match[2]]}\n{match[3]}"

    text = path.read_text(encoding="utf-8")
    return re.sub(r"(<!-- (.*?): begin -->)\n.*?(<!-- \2: end -->)", fill, text, flags=re.DOTALL)


def pages() -> list[Path]:
    """Return the pages that have something generated."""
    return [DOCS / "parameters.md", *sorted({DOCS / name for name in PAGES.values()})]


def _contents() -> Iterator[str]:
    yield from ("| | | deferrable |", "|---|---|---|")
    for kind in KINDS:
        deferrable = "yes" if "deferrable" in parameters_of(kind) else "no"
        name, summary = kind.__name__, _cell(docstring_of(kind).prose[0])
        yield f"| [`{name}`]({PAGES[name]}) | {summary} | {deferrable} |"


def _permissions(name: str) -> str:
    """Return what the page on permissions has of an operator or sensor."""
    page = (DOCS / "permissions.md").read_text(encoding="utf-8")
    found = re.search(rf"^\| `{name}` \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    assert found, f"docs/permissions.md has no row of {name}"
    rows = (
        f"| {service} | {needs} |"
        for service, needs in zip(("DLI, `dli:jobs:…`", "OBS"), found.groups(), strict=True)
    )
    table = "\n".join(("| service | [permissions](permissions.md) of the key |", "|---|---|", *rows))
    return table.replace("](", "](../").replace("](../#", "](../permissions.md#")


def _parameters(kind: Any) -> str:
    docstring = docstring_of(kind)
    package = "sensors" if kind.__name__ in sensors.__all__ else "operators"
    rows = [f"`from airflow_provider_dli.{package}.dli import {kind.__name__}`", ""]
    rows += ["| parameter | default | |", "|---|---|---|"]
    for name, default in parameters_of(kind).items():
        meaning = _cell(docstring.parameters[name]) + _EMPTY.get(_nothing(kind, name), "")
        rows.append(f"| `{name}` | {_default(name, default)} | {meaning} |")
    return "\n".join(rows)


def _nothing(kind: Any, name: str) -> str:
    field = MODELS[kind.__name__].model_fields.get(name)
    return next((each.nothing for each in field.metadata if isinstance(each, Kind)), "") if field else ""


def _default(name: str, default: Any) -> str:
    if default is inspect.Parameter.empty:
        return "required"
    if name == "deferrable":
        return "Airflow's"
    shown = json.dumps(default) if isinstance(default, str) else repr(default)
    return f"`{shown}`"


def _plain(text: str) -> str:
    """Turn a paragraph of reST into one of Markdown, on one line."""
    text = " ".join(text.split())
    text = re.sub(r":\w+:`~?[\w.]*?(\w+)`", r"`\1`", text).replace("``", "`")
    return re.sub(r" \(templated\)", "", text)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


if __name__ == "__main__":
    for each in pages():
        each.write_text(written(each), encoding="utf-8")
