"""What an import is to do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.restoring import journal, judgement, source
from airflow_provider_dli.restoring.copying import copied
from airflow_provider_dli.restoring.importing import Importing
from airflow_provider_dli.restoring.outcome import ImportOutcome, tell, tell_unnamed
from airflow_provider_dli.wording import TaskLogger, counted

if TYPE_CHECKING:
    from airflow_provider_dli.parameters.models import ImportParameters
    from airflow_provider_dli.task_state import TaskState


@dataclass(frozen=True, slots=True)
class Restore:
    """An import.

    :param options: the parameters of the operator
    :param target: asks the project to import into
    :param archives: reads the archives
    :param log: where to tell
    """

    options: ImportParameters
    target: DliHook
    archives: ObsHook
    log: TaskLogger

    def run(self, memory: TaskState) -> ImportOutcome:
        """Import.

        :param memory: of the task
        :raises DliException: if an archive is missing or damaged, or the service refuses
        """
        found = self._ready()
        self.log.info("Importing %s into project %s.", found.place.url, self.target.project_id)
        importing = Importing(self.target, memory, self.options.settling_time, self.log)
        outcome = importing.run(found.place, found.version, is_cover=self.options.is_cover)
        self.log.info("%s in %s:", counted(len(outcome.jobs), "job"), found.place.url)
        tell(outcome.jobs, self.log)
        tell_unnamed(outcome, self.log)
        return replace(outcome, archives=tuple(str(archive) for archive in found.archives))

    def try_out(self) -> None:
        """Prove the archives and tell what an import would meet; nothing is copied or imported.

        :raises DliException: if an archive is missing or damaged
        """
        found = source.find(self.archives, self.options.zip_file)
        if self.options.verify:
            source.proven(self.archives, found, self.log)
        names = {job.name for job in self.target.list_flink_jobs()}
        where = f"project {self.target.project_id}"
        self.log.info("Dry run: nothing is imported. %s has %s.", where, counted(len(names), "job"))
        there = sorted(str(name) for name in self.options.expect if name in names)
        if self.options.expect:
            verb = "would be replaced" if self.options.is_cover else "would be left out"
            self.log.info(
                "Of the expected names, %d exist and %s: %s", len(there), verb, ", ".join(there) or "none"
            )
        else:
            self.log.info(
                "Which names are in a DLI archive is not documented; give expect to have them looked up."
            )

    def judge(self, outcome: ImportOutcome, memory: TaskState) -> None:
        """Pass if every job was imported; see :func:`~airflow_provider_dli.restoring.judgement.judge`.

        :param outcome: what became of it
        :param memory: of the task
        """
        try:
            judgement.judge(outcome, self.options.expect, accept_clashes=self.options.on_clash == "accept")
        except DliFailException:
            memory.clear()  # it has come to an end, if a bad one: whoever clears the task wants it asked anew
            raise
        journal.close(memory)

    def _ready(self) -> source.Source:
        """Have the archives proven, and where the target can read them."""
        found = source.find(self.archives, self.options.zip_file)
        reports = source.proven(self.archives, found, self.log) if self.options.verify else []
        if self.options.copy_to is None:
            return found
        target = ObsHook(self.target.dli_conn_id)
        return copied(self.archives, found, target, self.options.copy_to, reports, self.log)
