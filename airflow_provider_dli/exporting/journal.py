"""What is known of an export over the tries of its task: what was asked, what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.memory import TaskMemory


def name_of(job_ids: Sequence[int] | None) -> str:
    """Give a name to a batch, by its jobs.

    :param job_ids: ids of the jobs; None for all of the project
    """
    if job_ids is None:
        return "all"
    return hashlib.sha256(",".join(map(str, job_ids)).encode()).hexdigest()[:16]


class Journal:
    """Written before a batch is asked for and after its outcome is known.

    :param memory: of the task
    :param directory: where the archives go; what was done for another one is forgotten
    """

    def __init__(self, memory: TaskMemory, directory: ObsLocation) -> None:
        self._memory = memory
        kept = memory.recall()
        is_ours = kept.get("obs_dir") == str(directory)
        self._state: dict[str, Any] = kept if is_ours else {"obs_dir": str(directory)}

    @property
    def selected(self) -> list[int] | None:
        """The ids that an earlier try selected; None if none did."""
        found = self._state.get("selected")
        return list(found) if isinstance(found, list) else None

    def select(self, job_ids: Sequence[int]) -> None:
        """Keep which jobs are selected: a later try goes on with the same."""
        self._write(selected=list(job_ids))

    def archives_of(self, batch: str) -> list[str]:
        """Give the archives that a batch was exported to; none if it was not, or its outcome is not known."""
        return list(self._state.get("done", {}).get(batch, []))

    @property
    def archives(self) -> set[str]:
        """All archives that are known to be of some batch."""
        return {archive for archives in self._state.get("done", {}).values() for archive in archives}

    def asked(self, batch: str) -> datetime | None:
        """Tell when a batch was asked for whose outcome is not known; None if there is no such thing."""
        began = self._asking.get(batch)
        return datetime.fromisoformat(began) if began else None

    def begin(self, batch: str, began: datetime) -> None:
        """Write down that a batch is being asked for; what is written of others stays."""
        self._write(asking={**self._asking, batch: began.isoformat()})

    def nothing_came(self, batch: str) -> None:
        """Write down that a batch that was being asked for was surely not exported."""
        self._write(asking=self._asking_but(batch))

    def finish(self, batch: str, archives: Sequence[str]) -> None:
        """Write down what a batch was exported to."""
        self._write(asking=self._asking_but(batch), done={**self._state.get("done", {}), batch: list(archives)})

    @property
    def superseded(self) -> list[str]:
        """The archives of an earlier try that exported everything.

        Either the task was cleared, or its process was killed before Airflow knew that it had succeeded. Nobody
        can tell which; so it is done anew, and told.
        """
        return list(self._state.get("superseded", []))

    def close(self) -> None:
        """All is done: another run of the task begins anew, and knows of these archives."""
        self._memory.keep({"obs_dir": self._state["obs_dir"], "superseded": sorted(self.archives)})

    @property
    def _asking(self) -> dict[str, str]:
        """Each batch whose outcome is not known, and when it was asked for."""
        asking = self._state.get("asking") or {}
        # An earlier version had room for one: an upgrade between two tries must not forget it.
        return {asking["batch"]: asking["began"]} if "began" in asking else dict(asking)

    def _asking_but(self, batch: str) -> dict[str, str]:
        return {name: began for name, began in self._asking.items() if name != batch}

    def _write(self, **changes: Any) -> None:  # noqa: ANN401 -- JSON values
        self._state |= changes
        if any(self._state.get(name) for name in ("selected", "asking", "done", "superseded")):
            self._memory.keep(self._state)
        else:
            self._memory.forget()
