"""What an import is to do: checked before anything is sent, then done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.locations import ObsLocation, parse_directory
from airflow_provider_dli.exceptions import DliFailException, translated
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.parameters import expected_jobs, flag, one_place
from airflow_provider_dli.restoring import journal, judgement, source
from airflow_provider_dli.restoring.copying import copied
from airflow_provider_dli.restoring.importing import Importing
from airflow_provider_dli.restoring.outcome import ImportOutcome, tell
from airflow_provider_dli.wording import Logger, counted

if TYPE_CHECKING:
    from airflow_provider_dli.memory import TaskMemory

_ON_CLASH = ("fail", "accept")


@dataclass(frozen=True, slots=True)
class Restore:
    """An import; the fields are the parameters of the operator.

    :param zip_file: archive, or directory of archives
    :param expect: ids or names of jobs that must be imported
    :param target: asks the project to import into
    :param archives: reads the archives
    :param copy_to: directory that archives are copied to first; None to import from where they are
    :param log: where to tell
    """

    zip_file: str
    is_cover: bool
    dry_run: bool
    expect: tuple[int | str, ...]
    accept_clashes: bool
    verify: bool
    target: DliHook
    archives: ObsHook
    copy_to: ObsLocation | None
    log: Logger

    @classmethod
    def checked(  # noqa: PLR0913 -- the parameters of the operator, by name
        cls,
        *,
        zip_file: object,
        is_cover: object,
        dry_run: object,
        expect: Any,  # noqa: ANN401 -- checked here
        expectation_given: bool,
        on_clash: str,
        verify: bool,
        target: DliHook,
        archives: ObsHook,
        copy_to: object,
        log: Logger,
    ) -> Restore:
        """Check what an author gives.

        :param expectation_given: whether the author gave ``expect``
        :raises DliFailException: naming the parameter, if one makes no sense
        """
        with translated():
            if on_clash not in _ON_CLASH:
                raise ConfigurationError("on_clash", f"{on_clash!r} is not possible", "give 'fail' or 'accept'")
            covers, dry = flag("is_cover", is_cover), flag("dry_run", dry_run)
            expected = expected_jobs(expect, given=expectation_given, name="expect")
            place = one_place(zip_file)
            directory = None if copy_to is None else parse_directory("copy_to", copy_to)
        return cls(
            place,
            covers,
            dry,
            expected,
            on_clash == "accept",
            verify,
            target,
            archives,
            directory,
            log,
        )

    def run(self, memory: TaskMemory, settling_time: float) -> ImportOutcome:
        """Import.

        :param memory: of the task
        :param settling_time: seconds in which jobs may still appear after an answer was lost
        :raises DliException: if an archive is missing or damaged, or the service refuses
        """
        found = self._ready()
        self.log.info("Importing %s into project %s.", found.place.url, self.target.project_id)
        importing = Importing(self.target, memory, settling_time, self.log)
        outcome = importing.run(found.place, found.version, is_cover=self.is_cover)
        self.log.info("%s in %s:", counted(len(outcome.jobs), "job"), found.place.url)
        tell(outcome.jobs, self.log)
        return replace(outcome, archives=tuple(str(archive) for archive in found.archives))

    def try_out(self) -> None:
        """Prove the archives and tell what an import would meet; nothing is copied or imported.

        :raises DliException: if an archive is missing or damaged
        """
        with translated():
            found = source.find(self.archives, self.zip_file)
        if self.verify:
            source.proven(self.archives, found, self.log)
        names = {job.name for job in self.target.list_flink_jobs()}
        where = f"project {self.target.project_id}"
        self.log.info("Dry run: nothing is imported. %s has %s.", where, counted(len(names), "job"))
        there = sorted(str(name) for name in self.expect if name in names)
        if self.expect:
            verb = "would be replaced" if self.is_cover else "would be left out"
            self.log.info(
                "Of the expected names, %d exist and %s: %s", len(there), verb, ", ".join(there) or "none"
            )
        else:
            self.log.info(
                "Which names are in a DLI archive is not documented; give expect to have them looked up."
            )

    def judge(self, outcome: ImportOutcome, memory: TaskMemory) -> None:
        """Pass if every job was imported; see :func:`~airflow_provider_dli.restoring.judgement.judge`.

        :param outcome: what became of it
        :param memory: of the task
        """
        try:
            judgement.judge(outcome, self.expect, accept_clashes=self.accept_clashes)
        except DliFailException:
            memory.forget()  # it has come to an end, if a bad one: whoever clears the task wants it asked anew
            raise
        journal.close(memory)

    def _ready(self) -> source.Source:
        """Have the archives proven, and where the target can read them."""
        with translated():
            found = source.find(self.archives, self.zip_file)
        reports = source.proven(self.archives, found, self.log) if self.verify else []
        if self.copy_to is None:
            return found
        target = ObsHook(self.target.dli_conn_id)
        return copied(self.archives, found, target, self.copy_to, reports, self.log)
