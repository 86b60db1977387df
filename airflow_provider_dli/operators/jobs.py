"""List, run, stop, save and delete Flink jobs.

What a task needs is imported when it runs: this module is read with every DAG file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.compat import conf
from airflow_provider_dli.exceptions import ExecutionTimeoutError
from airflow_provider_dli.links.dli import DliConsoleLink
from airflow_provider_dli.metrics import observing
from airflow_provider_dli.operators.base import DeferrableOperator, DliBaseOperator, apply_if_empty
from airflow_provider_dli.parameters import DEFAULT_CONN_ID, NOT_GIVEN, NotGiven, names_of, number_of, value_of
from airflow_provider_dli.triggers.deferral import event_status, seconds_left

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from airflow_provider_dli.compat import Context, XComArg
    from airflow_provider_dli.parameters import IfEmpty
    from airflow_provider_dli.services.jobs import ActionRunner


class DliListFlinkJobsOperator(DliBaseOperator):
    """Select Flink jobs of a DLI project, at one moment, by their ids.

    Without any filter, all jobs that this key sees. Pushes their ids, oldest first, as ``return_value``, and the
    jobs with their names and statuses as ``jobs``, unless these are many.

    .. seealso::
        :doc:`List and select Flink jobs </docs/operators/list>`: filters, XComs, permissions.

    :param name_pattern: wildcards for the name: ``*``, ``?`` and ``[...]``; a list, or a string with commas
        between, of which one must match (templated)
    :param job_type: ``flink_sql_job``, ``flink_opensource_sql_job``, ``flink_sql_edge_job`` or ``flink_jar_job``
        (templated)
    :param status: one or several statuses, such as ``job_running`` (templated)
    :param queue_name: name of a queue (templated)
    :param user_name: name of the user who created the jobs (templated)
    :param tags: a mapping, or ``key=value,key=value``; each must match (templated)
    :param changed_since: jobs created or changed since then: a datetime or ISO 8601, such as
        ``2026-01-15T08:00Z`` (templated)
    :param exclude: ids, or wildcards for names, of jobs to skip (templated)
    :param if_empty: what to do if no job matches: ``fail``, ``skip`` or ``succeed`` (templated)
    :param dli_conn_id: connection of type ``dli`` (templated)
    :raises DliFailException: if a filter or the connection cannot be used, or no job matches; no retry is spent
    :raises DliException: if DLI cannot be reached or is in trouble; a retry may help
    """

    action = "list"
    template_fields: Sequence[str] = (
        "name_pattern",
        "job_type",
        "status",
        "queue_name",
        "user_name",
        "tags",
        "changed_since",
        "exclude",
        "if_empty",
        "dli_conn_id",
    )
    operator_extra_links = (DliConsoleLink(),)
    ui_color = "#e6f1f2"

    def __init__(  # noqa: PLR0913 -- the filters, by name
        self,
        *,
        name_pattern: Iterable[str] | str | XComArg | NotGiven | None = NOT_GIVEN,
        job_type: str | NotGiven | None = NOT_GIVEN,
        status: Iterable[str] | str | XComArg | NotGiven | None = NOT_GIVEN,
        queue_name: str | NotGiven | None = NOT_GIVEN,
        user_name: str | NotGiven | None = NOT_GIVEN,
        tags: Mapping[str, str] | str | XComArg | NotGiven | None = NOT_GIVEN,
        changed_since: datetime | str | XComArg | NotGiven | None = NOT_GIVEN,
        exclude: Iterable[int | str] | int | str | XComArg | NotGiven | None = NOT_GIVEN,
        if_empty: IfEmpty | str = "fail",
        dli_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.name_pattern = value_of(name_pattern)
        self.job_type = value_of(job_type)
        self.status = value_of(status)
        self.queue_name = value_of(queue_name)
        self.user_name = value_of(user_name)
        self.tags = value_of(tags)
        self.changed_since = value_of(changed_since)
        self.exclude = value_of(exclude)
        self.if_empty = if_empty
        self.dli_conn_id = dli_conn_id
        # Filters of which none filters, since all rendered to nothing, must not list all jobs.
        self.given = names_of(
            name_pattern=name_pattern,
            job_type=job_type,
            status=status,
            queue_name=queue_name,
            user_name=user_name,
            tags=tags,
            changed_since=changed_since,
            exclude=exclude,
        )

    def execute(self, context: Context) -> list[int]:
        """Return the ids of the selected jobs."""
        with observing(self, context):
            from airflow_provider_dli.services import selection

            options, hook = selection.prepare(self)
            self.begin(context, hook)
            jobs = selection.select_jobs(hook, options, self.log)
            if not jobs:
                apply_if_empty(options.if_empty, str(options))
            names = ("job_id", "name", "job_type", "status", "queue_name", "create_time", "update_time")
            rows = [{name: getattr(job, name) for name in names} for job in jobs]
            return selection.push_jobs(self, context, rows)


class JobActionOperator(DeferrableOperator):
    """Requests an action of Flink jobs, each once, and waits for its effect; base of run, stop and savepoint.

    Parameters, result and errors are described at those.
    """

    template_fields: Sequence[str] = (
        "job_ids",
        "wait_for_completion",
        "if_empty",
        "dli_conn_id",
        "timeout",
        "poll_interval",
        "status_grace_period",
    )
    operator_extra_links = (DliConsoleLink(),)
    ui_color = "#fff2cc"
    #: while a task runs: what it has requested
    _runner: ActionRunner | None = None

    def __init__(
        self,
        *,
        job_ids: Iterable[int | str] | int | str | XComArg,
        wait_for_completion: bool | str,
        if_empty: IfEmpty | str,
        dli_conn_id: str,
        timeout: float | str | timedelta,
        poll_interval: float | str | timedelta,
        status_grace_period: float | str | timedelta,
        deferrable: bool,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.job_ids = job_ids
        self.wait_for_completion = wait_for_completion
        self.if_empty = if_empty
        self.dli_conn_id = dli_conn_id
        self.timeout = number_of(timeout)
        self.poll_interval = number_of(poll_interval)
        self.status_grace_period = number_of(status_grace_period)
        self.deferrable = deferrable

    def execute(self, context: Context) -> list[int]:
        """Request the action of each job, and wait."""
        with observing(self, context):
            runner = self._open_runner(context)
            options = runner.options
            if not options.job_ids:
                apply_if_empty(options.if_empty, "job_ids, which names none")
                return []
            self.begin(context, runner.hook)
            runner.track(runner.requester.request(runner.jobs()))
            if not options.wait_for_completion:
                return self._push_jobs(context, runner.status())
            if self.deferrable and runner.poll():
                self.defer_to(runner.trigger(self.wait_limits(runner.hook, options.timeout)))
            return self._push_jobs(context, runner.finish(options.timeout))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:  # noqa: ANN401 -- BaseOperator's
        """Go on after a wait on the triggerer."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except ExecutionTimeoutError:
            # As Airflow does if execution_timeout ends on a worker.
            event = (next_kwargs or {}).get("event")
            self._open_runner(context, event).on_kill(is_reported=event is not None)
            raise

    def execute_complete(self, context: Context, event: Any = None) -> list[int]:  # noqa: ANN401 -- the trigger's
        """Poll once more after the triggerer has waited, and wait on if requests were due."""
        event_status(event)
        runner = self._open_runner(context, event)
        left = seconds_left(event, "left") or 0.0
        if left > 0 and runner.resume(left):
            self.defer_to(runner.trigger(self.wait_limits(runner.hook, left)))
        return self._push_jobs(context, runner.finish(0))

    def _push_jobs(self, context: Context, jobs: list[dict[str, Any]]) -> list[int]:
        from airflow_provider_dli.services.selection import push_jobs

        return push_jobs(self, context, jobs)

    def _open_runner(self, context: Context, event: Any = None) -> ActionRunner:  # noqa: ANN401 -- the trigger's
        from airflow_provider_dli.services.jobs import ActionRunner

        self._runner = ActionRunner(self.action, self, context, self.log, event)
        return self._runner

    def on_kill(self) -> None:
        """Stop the jobs that this task has requested, with ``stop_on_kill``, or log that they go on in DLI."""
        if self._runner:
            self._runner.on_kill()


class DliRunFlinkJobsOperator(JobActionOperator):
    """Run Flink jobs of a DLI project, and wait until they run.

    A job that runs already, or is on its way, is not run once more. Each job is requested by a call of its own;
    all must exist before any request is sent, and one that fails does not stop the others.

    Pushes the ids of the jobs as ``return_value``, and the jobs with their status as ``jobs``, unless they are
    many.

    .. seealso::
        :doc:`Run and stop Flink jobs </docs/operators/run-and-stop>`: statuses, retries, XComs, permissions.

    :param job_ids: the jobs: ids as a list or a string, one id, or the output of another task (templated). Never
        all: name them
    :param resume_savepoint: True to start from the newest savepoint (templated). DLI deletes it once the job runs:
        each run needs a new one, such as a stop with ``trigger_savepoint`` makes
    :param target_state: ``running``, until each runs or has finished; ``finished``, for jobs with an end, until
        each has come to it (templated)
    :param wait_for_completion: False to return as soon as each was requested (templated)
    :param if_empty: what to do if ``job_ids`` names none: ``fail``, ``skip`` or ``succeed`` (templated)
    :param dli_conn_id: connection of type ``dli`` (templated)
    :param timeout: seconds to wait (templated)
    :param poll_interval: seconds between two polls (templated)
    :param status_grace_period: seconds for which a job may still show its previous status after its request
        (templated)
    :param stop_on_kill: True to stop the jobs that this task has started if it is killed: marked or cleared in the
        UI, or ended by its ``execution_timeout``; while it waits on the triggerer on Airflow 3.3 and later only
        (templated)
    :param deferrable: wait on the triggerer; default: Airflow's ``[operators] default_deferrable``
    :raises DliFailException: if a parameter or the connection cannot be used, a job does not exist, DLI
        refuses, or a job comes to an end that is not the target state; no retry is spent
    :raises DliException: if DLI cannot be reached or is in trouble, or time is up; a retry may help
    """

    action = "run"
    template_fields: Sequence[str] = (
        *JobActionOperator.template_fields,
        "resume_savepoint",
        "target_state",
        "stop_on_kill",
    )

    def __init__(  # noqa: PLR0913 -- by name, as Airflow's
        self,
        *,
        job_ids: Iterable[int | str] | int | str | XComArg,
        resume_savepoint: bool | str = False,
        target_state: str = "running",
        wait_for_completion: bool | str = True,
        if_empty: IfEmpty | str = "fail",
        dli_conn_id: str = DEFAULT_CONN_ID,
        timeout: float | str | timedelta = 600,
        poll_interval: float | str | timedelta = 10,
        status_grace_period: float | str | timedelta = 60,
        stop_on_kill: bool | str = False,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(
            job_ids=job_ids,
            wait_for_completion=wait_for_completion,
            if_empty=if_empty,
            dli_conn_id=dli_conn_id,
            timeout=timeout,
            poll_interval=poll_interval,
            status_grace_period=status_grace_period,
            deferrable=deferrable,
            **kwargs,
        )
        self.resume_savepoint = resume_savepoint
        self.target_state = target_state
        self.stop_on_kill = stop_on_kill


class DliStopFlinkJobsOperator(JobActionOperator):
    """Stop Flink jobs of a DLI project, and wait until they are stopped.

    A job that does not run is skipped; but one that may run again by itself (it recovers from an exception, or
    dynamic scaling restarts it) is stopped when it does, and the task succeeds only when it is stopped. Each job
    is requested by a call of its own; all must exist before any request is sent, and one that fails does not stop
    the others.

    Pushes the ids of the jobs as ``return_value``, and the jobs with their status as ``jobs``, unless they are
    many.

    .. seealso::
        :doc:`Run and stop Flink jobs </docs/operators/run-and-stop>`: statuses, retries, XComs, permissions.

    :param job_ids: the jobs: ids as a list or a string, one id, or the output of another task (templated). Never
        all: name them
    :param trigger_savepoint: True to make a savepoint first, for a run with ``resume_savepoint`` (templated). How
        one shows after a stop is not documented: if a job's ``savepoint_path`` is as before, a warning is logged.
        A job that was being stopped already when the task began, and shows no new savepoint, is a failure
    :param wait_for_completion: False to return as soon as each was requested; a job that cannot take the request
        yet is a failure then (templated)
    :param if_empty: what to do if ``job_ids`` names none: ``fail``, ``skip`` or ``succeed`` (templated)
    :param dli_conn_id: connection of type ``dli`` (templated)
    :param timeout: seconds to wait (templated)
    :param poll_interval: seconds between two polls (templated)
    :param status_grace_period: seconds for which a job may still show its previous status after its request
        (templated)
    :param deferrable: wait on the triggerer; default: Airflow's ``[operators] default_deferrable``
    :raises DliFailException: if a parameter or the connection cannot be used, a job does not exist, DLI
        refuses, or a job comes to an end that is not the target state; no retry is spent
    :raises DliException: if DLI cannot be reached or is in trouble, or time is up; a retry may help
    """

    action = "stop"
    template_fields: Sequence[str] = (*JobActionOperator.template_fields, "trigger_savepoint")

    def __init__(
        self,
        *,
        job_ids: Iterable[int | str] | int | str | XComArg,
        trigger_savepoint: bool | str = False,
        wait_for_completion: bool | str = True,
        if_empty: IfEmpty | str = "fail",
        dli_conn_id: str = DEFAULT_CONN_ID,
        timeout: float | str | timedelta = 1200,
        poll_interval: float | str | timedelta = 10,
        status_grace_period: float | str | timedelta = 60,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(
            job_ids=job_ids,
            wait_for_completion=wait_for_completion,
            if_empty=if_empty,
            dli_conn_id=dli_conn_id,
            timeout=timeout,
            poll_interval=poll_interval,
            status_grace_period=status_grace_period,
            deferrable=deferrable,
            **kwargs,
        )
        self.trigger_savepoint = trigger_savepoint


class DliSavepointFlinkJobsOperator(JobActionOperator):
    """Make savepoints of running Flink jobs, and wait until they are made.

    A job is saved if it shows another ``savepoint_path``, or went through ``job_savepointing`` and runs on. Each
    job is requested by a call of its own, as soon as it can take the request; all must exist before any request is
    sent, and one that fails does not stop the others.

    Pushes the ids of the jobs as ``return_value``, and the jobs with their ``savepoint_path`` as ``jobs``, unless
    they are many.

    .. seealso::
        :doc:`Make savepoints </docs/operators/savepoint>`: retries, deferrable mode, XComs, permissions.

    :param job_ids: the jobs: ids as a list or a string, one id, or the output of another task (templated). Never
        all: name them
    :param savepoint_path: directory for the savepoints: ``bucket/directory``, with or without ``obs://``; each
        job's is kept in a directory of its own in it (templated). None leaves it to DLI
    :param wait_for_completion: False to return as soon as each was requested; a job that cannot take the request
        yet is a failure then (templated)
    :param if_empty: what to do if ``job_ids`` names none: ``fail``, ``skip`` or ``succeed`` (templated)
    :param dli_conn_id: connection of type ``dli`` (templated)
    :param timeout: seconds to wait (templated)
    :param poll_interval: seconds between two polls (templated)
    :param status_grace_period: seconds for which a job may still show its previous status after its request;
        meanwhile the task stays on the worker, ``deferrable`` or not (templated)
    :param deferrable: wait on the triggerer; default: Airflow's ``[operators] default_deferrable``
    :raises DliFailException: if a parameter or the connection cannot be used, a job does not exist, DLI
        refuses, or a job comes to an end that is not the target state; no retry is spent
    :raises DliException: if DLI cannot be reached or is in trouble, or time is up; a retry may help
    """

    action = "savepoint"
    template_fields: Sequence[str] = (*JobActionOperator.template_fields, "savepoint_path")

    def __init__(
        self,
        *,
        job_ids: Iterable[int | str] | int | str | XComArg,
        savepoint_path: str | None = None,
        wait_for_completion: bool | str = True,
        if_empty: IfEmpty | str = "fail",
        dli_conn_id: str = DEFAULT_CONN_ID,
        timeout: float | str | timedelta = 1200,
        poll_interval: float | str | timedelta = 10,
        status_grace_period: float | str | timedelta = 60,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(
            job_ids=job_ids,
            wait_for_completion=wait_for_completion,
            if_empty=if_empty,
            dli_conn_id=dli_conn_id,
            timeout=timeout,
            poll_interval=poll_interval,
            status_grace_period=status_grace_period,
            deferrable=deferrable,
            **kwargs,
        )
        self.savepoint_path = savepoint_path


class DliDeleteFlinkJobsOperator(DliBaseOperator):
    """Delete Flink jobs of a DLI project, in whatever state they are; a running one is stopped.

    Jobs are named one by one: an empty ``job_ids`` never means all jobs. A job that does not exist is logged and
    skipped.

    Pushes the ids that this or an earlier attempt has deleted as ``return_value``.

    .. seealso::
        :doc:`Delete Flink jobs </docs/operators/delete>`: retries, XComs, permissions.

    :param job_ids: the jobs: ids as a list or a string, one id, or the output of another task (templated)
    :param if_empty: what to do if ``job_ids`` names none: ``fail``, ``skip`` or ``succeed`` (templated)
    :param dli_conn_id: connection of type ``dli`` (templated)
    :raises DliFailException: if a parameter or the connection cannot be used, or DLI refuses; no retry is spent
    :raises DliException: if DLI cannot be reached or is in trouble; a retry may help
    """

    action = "delete"
    template_fields: Sequence[str] = ("job_ids", "if_empty", "dli_conn_id")
    operator_extra_links = (DliConsoleLink(),)
    ui_color = "#fff2cc"
    on_kill_message = "A job whose deletion was requested is deleted; the next attempt takes it for done."

    def __init__(
        self,
        *,
        job_ids: Iterable[int | str] | int | str | XComArg,
        if_empty: IfEmpty | str = "fail",
        dli_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,  # noqa: ANN401 -- BaseOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.job_ids = job_ids
        self.if_empty = if_empty
        self.dli_conn_id = dli_conn_id

    def execute(self, context: Context) -> list[int]:
        """Delete each job."""
        with observing(self, context):
            from airflow_provider_dli.services import jobs

            options, hook = jobs.prepare_deletion(self)
            if not options.job_ids:
                apply_if_empty(options.if_empty, "job_ids, which names none")
                return []
            self.begin(context, hook)
            return jobs.delete_jobs(options, hook, context, self.log)
