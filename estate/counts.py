"""What a run of the fleet has left in DLI's record, the object store and Airflow's database, and the verdict."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

EXPORT = "ExportFlinkJobs"


@dataclass(frozen=True)
class Counts:
    """Figures of one run.

    :param state: of the DAG run
    :param requested: export requests that DLI got
    :param acted: those that it carried out
    :param archives: in the store, but for those that the waits wait for
    :param orphans: archives that no task of the run names
    :param lost: batches without an archive that is there, verified and named, by map index
    :param states: of the task instances, how many of each
    :param attempts: of all task instances together, beyond the first of each
    :param seconds: from the trigger to the end of the run
    :param ended: components of Airflow that ended by themselves
    """

    state: str
    requested: int
    acted: int
    archives: int
    orphans: list[str] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    states: dict[str, int] = field(default_factory=dict)
    attempts: int = 0
    seconds: int = 0
    ended: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """What must hold and does not; empty if all is right."""
        found = []
        if self.lost:
            found.append(f"lost: {len(self.lost)} batches have no archive that is verified and named: {self.lost}")
        if self.orphans:
            found.append(f"doubled without a name: {len(self.orphans)} archives: {', '.join(self.orphans[:5])}")
        if self.state != "success" or set(self.states) != {"success"}:
            found.append(f"the run has ended as {self.state}, with tasks {self.states}")
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return all figures and problems by name."""
        return {**asdict(self), "problems": self.problems}


@dataclass(frozen=True)
class Xcom:
    """What a task instance has pushed.

    :param task: its task
    :param index: its map index
    :param key: of the XCom
    :param value: of it
    """

    task: str
    index: int
    key: str
    value: Any


def count(
    run: Mapping[str, Any],
    record: Iterable[Mapping[str, Any]],
    archives: Iterable[str],
    instances: Iterable[tuple[str, int]],
    xcoms: Iterable[Xcom],
) -> Counts:
    """Count what a run has left.

    :param run: its ``state``, ``seconds`` and ``batches``, what has ``ended``, and the ``place`` in OBS below
        which all its tasks write
    :param record: the requests that DLI got
    :param archives: what the store has below that place, each as ``bucket/key``
    :param instances: state and number of attempts of each task instance
    :param xcoms: of all tasks
    """
    instances, xcoms = list(instances), list(xcoms)
    there = {archive for archive in archives if not archive.startswith(f"{run['place']}/wait/")}
    exports = [each for each in record if each["operation"] == EXPORT and f'"{run["place"]}/' in each["body"]]
    named = "\n".join(json.dumps(each.value, ensure_ascii=False) for each in xcoms)
    return Counts(
        state=run["state"],
        requested=len(exports),
        acted=sum(each["acted"] for each in exports),
        archives=len(there),
        orphans=sorted(archive for archive in there if f'"{archive}"' not in named),
        lost=_lost(run["batches"], there, xcoms),
        states=dict(Counter(state for state, _ in instances)),
        attempts=sum(max(0, attempts - 1) for _, attempts in instances),
        seconds=run["seconds"],
        ended=run["ended"],
    )


def _lost(batches: int, there: set[str], xcoms: list[Xcom]) -> list[int]:
    """Return the batches without an archive that is in the store, and that a verification has found intact."""
    returned = [each for each in xcoms if each.key == "return_value"]
    reports = [report for each in returned if each.task == "verify" for report in each.value]
    intact = {report["zip_file"] for report in reports if report["verified"]} & there
    exported = {each.index: each.value for each in returned if each.task == "export"}
    return [number for number in range(batches) if not set(exported.get(number) or ()) & intact]
