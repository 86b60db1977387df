"""Import Flink jobs from archives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.links.dli import DliConsoleLink, persist
from airflow_provider_dli.operators.base import DliBaseOperator
from airflow_provider_dli.parameters import DEFAULT_CONN_ID, NOT_GIVEN, NotGiven, names_of, number_of, value_of

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.lineage import Lineage
    from airflow_provider_dli.restoring.outcome import ImportOutcome


class DliImportFlinkJobsOperator(DliBaseOperator):
    """Import the Flink jobs of an archive into a DLI project, in which they are drafts then.

    Follows *Importing a Flink Job* of the DLI API reference (dli_02_0255). The archive is proven whole first. What
    became of each job is judged from the service's answer and from the project's list afterwards. When an
    answer is lost, or a task killed while it imports, the next try knows by that list which jobs came since.

    Pushes, red or green, a list of jobs as ``return_value``: ``old_job_id``, ``new_job_id``, ``name``, ``created``
    (False if it replaced one), ``adopted`` (imported by a request whose answer was lost) and ``remark``; under
    ``created`` the ids of the jobs that it made, for whoever clears up; under ``job_ids`` the new ids; under
    ``not_in_response`` the ids of new jobs that the response does not name: of this import, or made by others.

    :param zip_file: an archive as the export returned it, ``bucket/key``, or a directory that holds archives and
        nothing else; a list must have one entry (templated)
    :param is_cover: True to replace jobs of the same names (templated)
    :param expect: ids (those of the archive) or names of jobs that must be imported (templated)
    :param on_clash: where a job of the same name exists and is not replaced: ``fail``, or ``accept`` to leave
        it as it is (templated)
    :param verify: False to import from an archive that is not proven whole (templated)
    :param dli_conn_id: connection of type ``dli`` of the project to import into (templated)
    :param source_conn_id: connection that may read the archive, if it is another one: that of another project,
        account or region (templated)
    :param copy_to: directory in OBS that the archives are copied to first, where the target project can read them
        (templated): within OBS where the keys of ``dli_conn_id`` may read the source, else through the worker. The
        copies are proven. Runs may share it: each set of archives gets a directory of its own in it, whose name
        follows from the archives, so that no copies of another run are imported
    :param dry_run: True to import nothing: prove the archive, and tell which of the expected names exist
        (templated, as ``is_dry_run``)
    :param settling_time: seconds in which jobs may still appear after an answer was lost (templated)
    :raises DliFailException: if a parameter or a connection cannot be used, the archive is damaged, DLI
        refuses, or a job was not imported; no retry is spent
    :raises DliException: if DLI or OBS is out of reach or in trouble; a retry may help
    """

    template_fields: Sequence[str] = (
        "zip_file",
        "is_cover",
        "expect",
        "on_clash",
        "verify",
        "dli_conn_id",
        "source_conn_id",
        "copy_to",
        "is_dry_run",
        "settling_time",
    )
    operator_extra_links = (DliConsoleLink(),)
    ui_color = "#d9ead3"
    on_kill_message = (
        "An import that was requested goes on in DLI and may create jobs; the next attempt looks for them."
    )

    def __init__(  # noqa: PLR0913 -- by name, as Airflow's
        self,
        *,
        zip_file: Iterable[str | XComArg] | str | XComArg,
        is_cover: bool | str = False,
        expect: Iterable[int | str] | int | str | XComArg | NotGiven = NOT_GIVEN,
        on_clash: str = "fail",
        verify: bool | str = True,
        dli_conn_id: str = DEFAULT_CONN_ID,
        source_conn_id: str | None = None,
        copy_to: str | XComArg | None = None,
        dry_run: bool | str = False,
        settling_time: float | str | timedelta = 60,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.zip_file = zip_file
        self.is_cover = is_cover
        self.expect = value_of(expect)
        self.on_clash = on_clash
        self.verify = verify
        self.dli_conn_id = dli_conn_id
        self.source_conn_id = source_conn_id
        self.copy_to = copy_to
        # Not ``dry_run``: that is a method of Airflow's own.
        self.is_dry_run = dry_run
        self.settling_time = number_of(settling_time)
        # A template, XCom or row of a mapping that is None must not turn "these jobs" into "any jobs".
        self.given = names_of(expect=expect)

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Import the jobs; what became of each."""
        from airflow_provider_dli.exceptions import translated
        from airflow_provider_dli.hooks.dli import DliHook
        from airflow_provider_dli.hooks.obs import ObsHook
        from airflow_provider_dli.parameters.models import ImportParameters
        from airflow_provider_dli.restoring.restore import Restore
        from airflow_provider_dli.task_state import TaskState

        with translated():
            options = ImportParameters.from_operator(self)
        archives = ObsHook(options.source_conn_id or options.dli_conn_id)
        restore = Restore(options, DliHook(options.dli_conn_id), archives, self.log)
        if options.dry_run:
            restore.try_out()
            return []
        persist(context, self, restore.target)
        memory = TaskState(context, "dli_import")
        outcome = restore.run(memory)
        result = self._push(context, outcome)
        self.lineage = _lineage(restore.target, outcome)
        restore.judge(outcome, memory)
        return result

    def _push(self, context: Context, outcome: ImportOutcome) -> list[dict[str, Any]]:
        """Push what became of it, red or green."""
        result = [job.as_dict() for job in outcome.jobs]
        self.push_xcoms(
            context,
            return_value=result,
            created=list(outcome.created),
            job_ids=[job.new_job_id for job in outcome.jobs if job.new_job_id],
            not_in_response=outcome.not_in_response,
        )
        return result


def _lineage(target: DliHook, outcome: ImportOutcome) -> Lineage:
    """Tell which archives the jobs of a project came from."""
    from airflow_provider_dli.lineage import Lineage, jobs_dataset, obs_dataset

    mapping = {str(job.old_job_id): job.new_job_id for job in outcome.jobs if job.new_job_id}
    return Lineage(
        inputs=[obs_dataset(archive) for archive in outcome.archives],
        outputs=[jobs_dataset(target)],
        facts={
            "region": target.account.region,
            "projectId": target.project_id,
            "jobIds": list(mapping.values()) or None,
            "failedJobIds": [job.old_job_id for job in outcome.jobs if job.new_job_id is None and not job.adopted],
            "jobMapping": mapping,
        },
    )
