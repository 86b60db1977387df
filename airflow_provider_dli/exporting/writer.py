"""Who else may write to a directory, as far as its path and Airflow's context show."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_dli.client.locations import ObsLocation

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
    """

    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None
    attempt: int = 1
    siblings: bool = False
    other_runs: Callable[[], bool] = lambda: False

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> Writer:
        """Read the context of a task.

        :param context: Airflow's; an empty one outside of Airflow
        """
        instance, dag = context.get("ti"), context.get("dag")
        index = getattr(instance, "map_index", -1)
        tasks = getattr(dag, "tasks", ())
        return cls(
            run_id=context.get("run_id"),
            task_id=getattr(instance, "task_id", None),
            map_index=index if isinstance(index, int) and index >= 0 else None,
            attempt=getattr(instance, "try_number", 1),
            siblings=sum(_exports(task) for task in tasks) > 1,
            other_runs=partial(_has_other_runs, dag, instance),
        )

    def is_alone_in(self, directory: ObsLocation) -> bool:
        """Whether no other task instance writes there: the path names the run, the task and the map index.

        :param directory: of the export, or of one of its batches
        """
        return all(self._names(directory))

    def may_have_rivals_in(self, directory: ObsLocation) -> bool:
        """Whether another task instance of the same DAG may export the same jobs there at the same time.

        :param directory: of the export, or of one of its batches
        """
        run, task, index = self._names(directory)
        return (self.siblings and not task) or not index or (not run and self.other_runs())

    def _names(self, directory: ObsLocation) -> tuple[bool, bool, bool]:
        """Whether the path names the run, the task, and the map index where there is one."""
        parts = directory.key.split("/")
        if len(parts) > 1 and _BATCH.fullmatch(parts[-1]):
            del parts[-1]
        run, task = _written(self.run_id), _written(self.task_id)
        has_run = any(run.search(part) for part in parts) if run else False
        rest = [run.sub("", part) for part in parts] if run else parts
        has_task = any(task.search(part) for part in rest) if task else False
        # What is left of a part is the index alone, or a word and the index: no part of a date.
        index = re.compile(rf"[\W_]*(?:[^\W\d_]+[\W_]*)?0*{self.map_index}[\W_]*")
        left = [task.sub("", part) for part in rest] if task else rest
        return has_run, has_task, self.map_index is None or any(index.fullmatch(part) for part in left)


def _written(identifier: str | None) -> re.Pattern[str] | None:
    """Return a pattern for an id in a path, where characters that a path may not like are left out or replaced."""
    words = re.findall(r"[^\W_]+", identifier or "")
    if not words:
        return None
    between = r"[^\w/]*_*[^\w/]*".join(map(re.escape, words))
    return re.compile(rf"(?<![^\W_]){between}(?![^\W_])", re.IGNORECASE)


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
