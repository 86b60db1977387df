"""All operators and sensors: their parameters, as signatures and docstrings have them.

``python -m tests.operators`` writes docs/operators.md.
"""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_dli.operators import dli as operators
from airflow_provider_dli.parameters import models
from airflow_provider_dli.parameters.types import Kind
from airflow_provider_dli.sensors import dli as sensors

PAGE = Path(__file__).parents[1] / "docs" / "operators.md"
#: of each operator and sensor, how its parameters are read
MODELS: dict[str, type[models.Parameters]] = {
    "DliCompareFlinkJobsOperator": models.CompareParameters,
    "DliDeleteFlinkJobsOperator": models.DeleteParameters,
    "DliExportFlinkJobsOperator": models.ExportParameters,
    "DliImportFlinkJobsOperator": models.ImportParameters,
    "DliListFlinkJobsOperator": models.ListParameters,
    "DliPromoteFlinkJobsOperator": models.PromoteParameters,
    "DliRunFlinkJobsOperator": models.RunParameters,
    "DliSavepointFlinkJobsOperator": models.SavepointParameters,
    "DliStopFlinkJobsOperator": models.StopParameters,
    "DliVerifyFlinkExportOperator": models.VerifyParameters,
    "DliExportArchiveSensor": models.ArchiveSensorParameters,
    "DliFlinkJobSensor": models.JobSensorParameters,
}
KINDS: list[Any] = [getattr(module, name) for module in (operators, sensors) for name in module.__all__]
#: further reading
MORE = {
    "DliCompareFlinkJobsOperator": "[restore drill](restore.md#restore-drill)",
    "DliDeleteFlinkJobsOperator": "[jobs](jobs.md#running-stopping-saving-deleting)",
    "DliExportFlinkJobsOperator": "[exporting many](jobs.md#exporting-many), [lost responses](lost-responses.md)",
    "DliImportFlinkJobsOperator": "[restoring](restore.md#restore)",
    "DliListFlinkJobsOperator": "[selecting](jobs.md#selecting)",
    "DliPromoteFlinkJobsOperator": "[promotion](restore.md#promotion)",
    "DliRunFlinkJobsOperator": "[jobs](jobs.md#running-stopping-saving-deleting)",
    "DliSavepointFlinkJobsOperator": "[jobs](jobs.md#running-stopping-saving-deleting)",
    "DliStopFlinkJobsOperator": "[jobs](jobs.md#running-stopping-saving-deleting)",
    "DliVerifyFlinkExportOperator": "[verification](verification.md), [archives](archive.md)",
    "DliExportArchiveSensor": "[the sensor](verification.md#the-sensor)",
    "DliFlinkJobSensor": "[jobs](jobs.md#running-stopping-saving-deleting)",
}
_HEAD = """# Operators and sensors: every parameter

Each takes the parameters below by name, and also those that every operator of Airflow takes, such as
`retries`, `pool` or `outlets`; a sensor those of every sensor, such as `poke_interval`, `timeout`, `mode` and
`soft_fail`. A parameter that is *templated* takes Jinja templates, and the output of other tasks (`XComArg`).
What is *deferrable* can wait on the triggerer. [Which permissions](permissions.md) each needs is on a page of its own;
the [example DAGs](example-dags.md) show each at work.

`python -m tests.operators` writes this page from the code, and a test compares them.

## How values are read

All parameters of a task are read together, once its templates are rendered and before anything is sent or deferred; whatever cannot be used
is named, with its value, shortened, and with what would be right.

| | taken |
|---|---|
| lists | a list, a tuple, a set (sorted), the output of a mapped task, lists of those, each flattened; a string as Jinja, Python or JSON writes a list; ids also with commas or spaces between, names with commas or one a line (a name may contain spaces), archives one a line |
| jobs | ids; or rows with a `job_id`, as `DliListFlinkJobsOperator` and others return, or with a `new_job_id`, as an import does |
| archives | `bucket/key`; or rows with a `zip_file`, as a verification and `hook.export_flink_jobs` return |
| mappings | a mapping, or one as Jinja, Python or JSON writes it |
| flags | `True`, `False`, `"true"`, `"False"`; neither `1` nor `"yes"` |
| numbers | `5`, `"5"`; no boolean, no `5.0` |
| lengths of time | seconds, `"10"`, `"1.5"`, a `timedelta`, also as a string (`0:00:10`, `PT10S`); at most a hundred years |
| choices | the word itself, spaces around it do not matter |
| places in OBS | names that a key can have, and with room for what is written below: at most 1,023 bytes with the name of the archive or report; no backslash, no `.` or `..`, and no slash before the bucket: that is of a bucket which rendered to nothing |

**Nothing.** A template gives the string `None` where a value is None, a form gives an empty string, a mapping gives None. The column *nothing* shows
what is made of these: *refused* where a task would do more, or check less, than was meant; *as if omitted* where that is harmless. Omit a
parameter, or its key in the row of an `expand_kwargs`, to have its default. `job_selected=None` together with `is_selected=False`
means all jobs explicitly, and is taken. A filter of a selection that is nothing does not filter; a selection, or a list, of which every given
filter is nothing is refused. A job or queue that is really named `None` cannot be distinguished from nothing.

A part that is nothing is always refused, by its place: an item of a list, also one between commas or after the last, the value of a tag or of a
queue. So is an empty list among archives, or among the rows of an import, which a task that failed has pushed. A list of jobs in a list may be
empty: the task that selected them found none.
"""  # noqa: E501 -- lines of a page
_WIDTH = 140
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


def page() -> str:
    """Write the whole page."""
    return "\n".join([_HEAD, *_contents(), "", *(line for kind in KINDS for line in _section(kind))])


def _contents() -> Iterator[str]:
    yield from ("| | | deferrable |", "|---|---|---|")
    for kind in KINDS:
        deferrable = "yes" if "deferrable" in parameters_of(kind) else "no"
        name, summary = kind.__name__, _cell(docstring_of(kind).prose[0])
        yield f"| [`{name}`](#{name.lower()}) | {summary} | {deferrable} |"


def _section(kind: Any) -> Iterator[str]:
    docstring = docstring_of(kind)
    module = "sensors" if kind.__name__ in sensors.__all__ else "operators"
    yield from (f"## {kind.__name__}", "")
    yield from ("```python", f"from airflow_provider_dli.{module}.dli import {kind.__name__}", "```", "")
    for paragraph in docstring.prose:
        yield from (_wrapped(paragraph), "")
    yield from ("| parameter | default | templated | nothing | |", "|---|---|---|---|---|")
    for name, default in parameters_of(kind).items():
        templated = "yes" if is_templated(kind, name) else ""
        cells = (
            f"`{name}`",
            _default(name, default),
            templated,
            _nothing(kind, name),
            _cell(docstring.parameters[name]),
        )
        yield f"| {' | '.join(cells)} |".replace("|  |", "| |")
    yield from ("", f"More: {MORE[kind.__name__]}.", "")


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
    text = re.sub(r" \(templated\)", "", text)
    return re.sub(r"docs/([\w-]+)\.md", r"[\1](\1.md)", text)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    PAGE.write_text(page().rstrip("\n") + "\n", encoding="utf-8")
