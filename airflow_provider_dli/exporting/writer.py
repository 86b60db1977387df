"""Who else may write to a directory, as far as its path and Airflow's context show."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.locations import ObsLocation, parse_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

_BATCH = re.compile(r"batch-[0-9]{4,}")
_EXPORT = "DliExportFlinkJobsOperator"


@dataclass(frozen=True, slots=True)
class Writer:
    """The task instance that exports.

    :param run_id: of the DAG run; None outside of Airflow
    :param task_id: of the task; None outside of Airflow
    :param map_index: of a mapped task; None of any other
    :param attempt: of the task, from 1
    :param siblings: whether the DAG has other tasks that export
    :param other_runs: returns whether other runs of the DAG are active
    :param shares: returns whether one of those other tasks may export into a directory
    """

    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None
    attempt: int = 1
    siblings: bool = False
    other_runs: Callable[[], bool] = lambda: False
    shares: Callable[[ObsLocation], bool] = lambda _: False

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> Writer:
        """Read the context of a task.

        :param context: Airflow's; an empty one outside of Airflow
        """
        instance, dag = context.get("ti"), context.get("dag")
        index = getattr(instance, "map_index", -1)
        task_id = getattr(instance, "task_id", None)
        tasks = [task for task in getattr(dag, "tasks", ()) if _exports(task)]
        others = [task for task in tasks if getattr(task, "task_id", None) != task_id]
        return cls(
            run_id=context.get("run_id"),
            task_id=task_id,
            map_index=index if isinstance(index, int) and index >= 0 else None,
            attempt=getattr(instance, "try_number", 1),
            siblings=bool(others),
            other_runs=partial(_has_other_runs, dag, instance),
            shares=partial(_share, others, context),
        )

    def is_alone_in(self, directory: ObsLocation) -> bool:
        """Whether no other task instance writes there: the path names the run, the task and the map index.

        :param directory: of the export, or of one of its batches
        """
        return all(self._names(directory)) and not self.shares(_without_batch(directory))

    def may_have_rivals_in(self, directory: ObsLocation) -> bool:
        """Whether another task instance of the same DAG may export the same jobs there at the same time.

        :param directory: of the export, or of one of its batches
        """
        run, task, index = self._names(directory)
        if (self.siblings and not task) or not index or self.shares(_without_batch(directory)):
            return True
        return not run and self.other_runs()

    def _names(self, directory: ObsLocation) -> tuple[bool, bool, bool]:
        """Whether the path names the run, the task, and the map index where there is one.

        Each is a directory of its own, or several are one, with something between them: a word of a longer name is
        another task's. What stands before the run is the same in every run, and names nothing.
        """
        parts = _without_batch(directory).key.split("/")
        run, task = _written(self.run_id), _written(self.task_id)
        # Alone, or a word and the index: no part of a date.
        index = None if self.map_index is None else rf"(?:[^\W\d_]+[\W_]*)?0*{self.map_index}"
        wanted = {name: text for name, text in (("run", run), ("task", task), ("index", index)) if text}
        found: set[str] = set()
        for part in parts:
            left = {name: text for name, text in wanted.items() if name not in found}
            named = _named(part, left)
            found |= named if not run or "run" in found | named else set()
        return "run" in found, "task" in found, index is None or "index" in found


def _without_batch(directory: ObsLocation) -> ObsLocation:
    parent, _, last = directory.key.rpartition("/")
    return ObsLocation(directory.bucket, parent) if parent and _BATCH.fullmatch(last) else directory


def _named(part: str, patterns: Mapping[str, str]) -> set[str]:
    """Return which of these a directory is named by, and by nothing else."""
    for count in range(len(patterns), 0, -1):
        for names in permutations(patterns, count):
            if re.fullmatch(r"[\W_]+".join(patterns[name] for name in names), part, re.IGNORECASE):
                return set(names)
    return set()


def _written(identifier: str | None) -> str | None:
    """Return a pattern for an id in a path, where characters that a path may not like are left out or replaced."""
    words = re.findall(r"[^\W_]+", identifier or "")
    return r"[^\w/]*_*[^\w/]*".join(map(re.escape, words)) if words else None


def _share(others: Sequence[Any], context: Mapping[str, Any], directory: ObsLocation) -> bool:
    """Whether one of these tasks may export there, or below: its own parameter says, rendered for this run."""
    return any(_may_be(directory, task, context) for task in others)


def _may_be(directory: ObsLocation, task: Any, context: Mapping[str, Any]) -> bool:  # noqa: ANN401 -- Airflow's
    template = getattr(task, "partial_kwargs", {}).get("obs_dir", getattr(task, "obs_dir", None))
    if not isinstance(template, str):
        return True  # what another task or a row of a mapping gives is not known here
    instance = _Other(context.get("ti"), task)
    seen = {**context, "task": task, "ti": instance, "task_instance": instance}
    try:
        text = task.render_template(template, seen)
        theirs = parse_directory("obs_dir", text)
    except ConfigurationError:
        return False  # that task cannot export anywhere
    except Exception:  # noqa: BLE001 -- a template may raise whatever it likes
        return True
    return f"{theirs}/".startswith(f"{directory}/")


class _Other:
    """The instance of another task of the same run, as far as a template can ask."""

    def __init__(self, instance: Any, task: Any) -> None:  # noqa: ANN401 -- Airflow's
        self._instance = instance
        self.task = task
        self.task_id = task.task_id

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- Airflow's
        return getattr(self._instance, name)


def _exports(task: object) -> bool:
    # A mapped operator is not an instance of its class, and has its name.
    names = [base.__name__ for base in type(task).__mro__]
    operator = getattr(task, "operator_class", None)
    names += [base.__name__ for base in getattr(operator, "__mro__", ())]
    return _EXPORT in [*names, getattr(task, "task_type", None)]


def _has_other_runs(dag: Any, instance: Any) -> bool:  # noqa: ANN401 -- Airflow's, of whichever version
    if getattr(dag, "max_active_runs", 1) == 1:
        return False
    count = getattr(instance, "get_dr_count", None)
    # Airflow 2 has no such method: then nobody can know.
    return count is None or int(count(dag_id=dag.dag_id, states=["running"])) > 1
