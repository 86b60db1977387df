"""Who else may write to a directory, as far as its path and the context of the task show.

Only to decide whose an archive is that appeared after an export had lost its response. What other DAGs, people and
tools write nobody can know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Any

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.locations import ObsLocation, parse_directory

_BATCH = re.compile(r"batch-[0-9]{4,}")
_EXPORT = "DliExportFlinkJobsOperator"


def is_exclusive(directory: ObsLocation, context: Mapping[str, Any]) -> bool:
    """Return whether no other task instance writes there.

    Its path names the run, the task and, of a mapped task, the map index, and no other task of the DAG exports
    to it.
    """
    directory = _without_batch(directory)
    return all(_is_named(directory, context)) and not _is_of_other_task(directory, context)


def may_be_shared_within_dag(directory: ObsLocation, context: Mapping[str, Any]) -> bool:
    """Return whether another task instance of the same DAG may export there at the same time."""
    directory = _without_batch(directory)
    run, task, index = _is_named(directory, context)
    if not index or (not task and any(_other_exports(context))) or _is_of_other_task(directory, context):
        return True
    return not run and _has_other_active_runs(context)


def _without_batch(directory: ObsLocation) -> ObsLocation:
    parent, _, last = directory.key.rpartition("/")
    return ObsLocation(directory.bucket, parent) if parent and _BATCH.fullmatch(last) else directory


def _is_named(directory: ObsLocation, context: Mapping[str, Any]) -> tuple[bool, bool, bool]:
    """Return whether the path names the run, the task, and the map index if there is one.

    Each is a directory of its own, or several are one, with something between them: a word of a longer name is
    that of another task. What stands before the run is the same in every run, and names nothing.
    """
    instance = context.get("ti")
    map_index = getattr(instance, "map_index", -1)
    is_mapped = isinstance(map_index, int) and map_index >= 0
    run, task = _pattern(context.get("run_id")), _pattern(getattr(instance, "task_id", None))
    # Alone, or a word and the index: no part of a date.
    index = rf"(?:[^\W\d_]+[\W_]*)?0*{map_index}" if is_mapped else None
    patterns = {name: text for name, text in (("run", run), ("task", task), ("index", index)) if text}
    found: set[str] = set()
    for part in directory.key.split("/"):
        missing = {name: text for name, text in patterns.items() if name not in found}
        named = _names_in(part, missing)
        found |= named if not run or "run" in found | named else set()
    return "run" in found, "task" in found, not is_mapped or "index" in found


def _pattern(identifier: str | None) -> str | None:
    """Return a pattern for an id in a path, in which characters may be omitted or replaced; None for no id."""
    words = re.findall(r"[^\W_]+", identifier or "")
    return r"[^\w/]*_*[^\w/]*".join(map(re.escape, words)) if words else None


def _names_in(part: str, patterns: Mapping[str, str]) -> set[str]:
    """Return the names of the patterns of which one part of a path consists, and of nothing else."""
    for count in range(len(patterns), 0, -1):
        for names in permutations(patterns, count):
            if re.fullmatch(r"[\W_]+".join(patterns[name] for name in names), part, re.IGNORECASE):
                return set(names)
    return set()


def _is_of_other_task(directory: ObsLocation, context: Mapping[str, Any]) -> bool:
    """Return whether another task of the DAG may export there, or below."""
    return any(_may_export_to(directory, task, context) for task in _other_exports(context))


def _other_exports(context: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the other tasks of the DAG that export."""
    own = getattr(context.get("ti"), "task_id", None)
    for task in getattr(context.get("dag"), "tasks", ()):
        # A mapped operator is not an instance of its class, and has its name.
        classes = [*type(task).__mro__, *getattr(getattr(task, "operator_class", None), "__mro__", ())]
        names = [each.__name__ for each in classes]
        if _EXPORT in [*names, getattr(task, "task_type", None)] and getattr(task, "task_id", None) != own:
            yield task


def _may_export_to(directory: ObsLocation, task: Any, context: Mapping[str, Any]) -> bool:  # noqa: ANN401 -- Airflow's
    """Return whether a task may export there or below: as its own parameter shows, rendered for this run."""
    template = getattr(task, "partial_kwargs", {}).get("obs_dir", getattr(task, "obs_dir", None))
    if not isinstance(template, str):
        return True  # the output of another task, or the row of a mapping: not known here
    instance = _OtherInstance(context.get("ti"), task)
    try:
        text = task.render_template(template, {**context, "task": task, "ti": instance, "task_instance": instance})
        theirs = parse_directory("obs_dir", text)
    except ConfigurationError:
        return False  # that task cannot export anywhere
    except Exception:  # noqa: BLE001 -- a template may raise whatever it likes
        return True
    return f"{theirs}/".startswith(f"{directory}/")


class _OtherInstance:
    """The instance of another task of the same run, as far as a template can see it."""

    def __init__(self, instance: Any, task: Any) -> None:  # noqa: ANN401 -- Airflow's
        self._instance = instance
        self.task = task
        self.task_id = task.task_id

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- Airflow's
        return getattr(self._instance, name)


def _has_other_active_runs(context: Mapping[str, Any]) -> bool:
    dag = context.get("dag")
    if getattr(dag, "max_active_runs", 1) == 1:
        return False
    count = getattr(context.get("ti"), "get_dr_count", None)
    # Airflow 2 has no such method: then nobody can know.
    return count is None or int(count(dag_id=getattr(dag, "dag_id", None), states=["running"])) > 1
