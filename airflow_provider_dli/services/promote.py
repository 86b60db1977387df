"""Promote jobs from one project to another: plan from both projects, then create and update."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from logging import Logger
from typing import Any, get_type_hints

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.errors import ConfigurationError, RefusedError
from airflow_provider_dli.client.flink.settings import (
    JAR_JOB,
    JarJobChanges,
    SqlJobChanges,
    differences,
    differing_settings,
    own_directory,
    unset_value,
)
from airflow_provider_dli.client.flink.status import PHASES, Phase, is_stoppable
from airflow_provider_dli.exceptions import DliException, DliFailException, read_parameters, translated
from airflow_provider_dli.formatting import excerpt, format_ids, log_table, pluralize
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.parameters.models import PromoteParameters
from airflow_provider_dli.services.compare import project_of
from airflow_provider_dli.services.reconcile import call_with_reconciliation
from airflow_provider_dli.services.selection import get_jobs


@dataclass(frozen=True, slots=True)
class Replacements:
    """What is replaced in the settings of the source."""

    queues: Mapping[str, str]
    #: in every setting that is a string: SQL, paths, endpoints. All in one pass; of several that match at one
    #: place the longest, so that none replaces what another has inserted
    strings: Mapping[str, str]
    _found: set[tuple[str, str]] = field(default_factory=set)

    def apply(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return settings as the target shall have them."""
        replaced = {name: self._replaced(value) for name, value in settings.items()}
        queue = str(settings.get("queue_name"))
        if queue in self.queues:
            self._found.add(("queues", queue))
            replaced["queue_name"] = self.queues[queue]
        return replaced

    def _replaced(self, value: Any) -> Any:  # noqa: ANN401 -- any JSON
        if isinstance(value, list):
            return [self._replaced(each) for each in value]
        if isinstance(value, Mapping):
            return {name: self._replaced(each) for name, each in value.items()}
        if not isinstance(value, str) or not self.strings:
            return value
        # Also where a longer one is replaced: it was found.
        self._found.update(("replacements", old) for old in self.strings if old in value)
        pattern = "|".join(map(re.escape, sorted(self.strings, key=len, reverse=True)))
        return re.sub(pattern, lambda match: self.strings[match[0]], value)

    def unused(self) -> list[str]:
        """Return the replacements that were found nowhere: a typing error, or the wrong job."""
        queues = [f"queues {queue}" for queue in self.queues if ("queues", queue) not in self._found]
        strings = [old for old in self.strings if ("replacements", old) not in self._found]
        # A password may be among the strings.
        return queues + [f"replacements {excerpt(old, secret=True)}" for old in strings]


@dataclass(frozen=True, slots=True)
class Step:
    """The plan for one job."""

    source: flink.FlinkJob
    #: those that it shall have in the target
    settings: Mapping[str, Any]
    #: further ones that DLI takes for an update only
    update_settings: Mapping[str, Any]
    #: the job of its name there; None if there is none
    target: flink.FlinkJob | None
    #: names of the settings that differ there, also those that only the target has; all if there is no such job
    changed: tuple[str, ...]

    @property
    def all_settings(self) -> Mapping[str, Any]:
        """All settings that the job shall have in the target."""
        return {**self.settings, **self.update_settings}

    @property
    def kind(self) -> type[JarJobChanges | SqlJobChanges]:
        """The settings that an update of it takes."""
        return JarJobChanges if self.source.job_type == JAR_JOB else SqlJobChanges

    @property
    def action(self) -> str:
        """``create``, ``update`` or ``unchanged``."""
        if self.target is None:
            return "create"
        return "update" if self.changed else "unchanged"

    def as_dict(self, job_id: int | None, not_carried: Sequence[str]) -> dict[str, Any]:
        """Return it as plain JSON values, with the settings that the target has not as the source has them."""
        return {
            "source_job_id": self.source.job_id,
            "job_id": job_id,
            "name": self.source.name,
            "action": self.action,
            "changed": list(self.changed) if self.target else [],
            "not_carried": list(not_carried),
        }


def prepare(operator: object) -> tuple[PromoteParameters, DliHook, DliHook]:
    """Check all parameters; return them, a hook of the source project, and one of the target project."""
    options = read_parameters(PromoteParameters, operator)
    return options, DliHook(options.source_conn_id), DliHook(options.dli_conn_id)


def plan(options: PromoteParameters, source: DliHook, target: DliHook, log: Logger) -> list[Step]:
    """Compare both projects, and return a step for each job; log them as a table.

    :raises DliFailException: if both are one project, a job does not exist, a setting of one cannot be read, or a
        replacement is found in no job
    """
    if project_of(source) == project_of(target):
        raise DliFailException(
            f"source_conn_id and dli_conn_id are of one project, {target.project_id}; name the connection of "
            "another. Nothing was changed."
        )
    replacements = Replacements(options.queues, options.replacements)
    jobs = get_jobs(source, options.job_ids)
    _refuse_equal_names(jobs.values())
    ids = {job.name: job.job_id for job in target.list_flink_jobs()}
    steps = [_plan_job(source, target, job, ids.get(job.name), replacements) for job in jobs.values()]
    for job in jobs.values():
        if path := own_directory(job):
            log.info("The checkpoint directory of job %d is not promoted: %s is one job's own.", job.job_id, path)
    rows = [
        (step.source.job_id, step.source.name, step.action, ", ".join(step.changed) if step.target else None)
        for step in steps
    ]
    log_table(log, ("id", "name", "action", "changed settings"), rows)
    if unused := replacements.unused():
        raise DliFailException(f"found in none of the jobs: {format_ids(unused)}; correct the mapping or the jobs")
    return steps


def _refuse_equal_names(jobs: Iterable[flink.FlinkJob]) -> None:
    """Refuse two jobs of one name: in the target they would be one, and which one is left is chance."""
    ids: dict[str, list[str]] = {}
    for job in jobs:
        ids.setdefault(job.name, []).append(str(job.job_id))
    equal = [f"{' and '.join(each)} are both called {name}" for name, each in ids.items() if len(each) > 1]
    if equal:
        raise DliFailException(
            f"job_ids: {format_ids(equal, '; ')}, and the target can have one job of a name; name one of them. "
            "Nothing was changed."
        )


def _plan_job(
    source: DliHook, target: DliHook, job: flink.FlinkJob, target_id: int | None, replacements: Replacements
) -> Step:
    with _readable(source, job):
        settings = replacements.apply(flink.settings_of(job))
        update_settings = replacements.apply(flink.update_settings_of(job))
    existing = None if target_id is None else target.get_flink_job(target_id)
    if existing is None:
        return Step(job, settings, update_settings, None, (*settings, *update_settings))
    if existing.job_type != job.job_type:
        raise DliFailException(
            f"job {job.name} is a {job.job_type}, and the one of its name in the target is a "
            f"{existing.job_type}; rename or delete one of them"
        )
    with _readable(target, existing):
        changed = differing_settings({**settings, **update_settings}, existing)
    return Step(job, settings, update_settings, existing, changed)


@contextmanager
def _readable(hook: DliHook, job: flink.FlinkJob) -> Iterator[None]:
    """Raise with the job and its connection if DLI shows a setting with a value that no request takes."""
    try:
        yield
    except ConfigurationError as error:
        raise DliFailException(
            f"job {job.job_id} {job.name} of connection {hook.dli_conn_id!r} is shown with a setting that no "
            f"request takes: {error}"
        ) from error


def jobs_to_stop(steps: Sequence[Step]) -> list[flink.FlinkJob]:
    """Return the jobs of the target that must be stopped before they can be updated: they run, or may resume."""
    targets = [step.target for step in steps if step.action == "update" and step.target]
    return [job for job in targets if is_stoppable(job) or PHASES[job.status] is Phase.MOVING]


def planned(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Return what :func:`apply` would do, and which settings it would not carry."""
    return [step.as_dict(step.target.job_id if step.target else None, _never_sent(step)) for step in steps]


def _never_sent(step: Step) -> tuple[str, ...]:
    """Return the names of settings that differ and that no request of this step would change."""
    no_reset = [
        name for name in step.changed if name not in step.all_settings and unset_value(step.kind, name) is None
    ]
    return (*no_reset, *_unknown(step, step.target or _new_job(step.source)))


def _new_job(source: flink.FlinkJob) -> flink.FlinkJob:
    """Return a job with what DLI gives a new one of the settings of the source: False and 0, and defaults."""
    config = source.raw.get("job_config") or {}
    top, inner = ({name: value for name, value in each.items() if value == 0} for each in (source.raw, config))
    return replace(source, raw={**top, "job_config": inner})


def apply(target: DliHook, steps: Sequence[Step], log: Logger) -> list[dict[str, Any]]:
    """Create and update jobs.

    :raises DliFailException: before anything is changed, if a job must be stopped first
    :raises DliException: naming what was done before it failed
    """
    if running := jobs_to_stop(steps):
        listed = format_ids([f"{job.job_id} {job.name} ({job.status})" for job in running])
        raise DliFailException(
            f"a job that runs, or may by itself, cannot be changed: {listed}; stop it first. Nothing was changed."
        )
    done: list[dict[str, Any]] = []
    for step in steps:
        try:
            job_id = _create(target, step, log) if step.target is None else step.target.job_id
            if step.target and step.changed:
                _update(target, step, job_id, step.changed)
            done.append(step.as_dict(job_id, _not_carried(target, step, job_id, log)))
        except DliException as error:
            raise _failed(step, error, done) from error.error or error
    log.info("Promoted %s into project %s.", pluralize(len(done), "job"), target.project_id)
    return done


def _create(target: DliHook, step: Step, log: Logger) -> int:
    """Create a job; if the response is lost, it is looked up by its name in the project's list."""
    name, settings = step.source.name, dict[str, Any](step.settings)
    with translated():
        if step.source.job_type == JAR_JOB:
            call = flink.create_jar_job(name, **settings)
        else:
            call = flink.create_sql_job(name, job_type=step.source.job_type, **settings)

    def find_by_name(error: DliException) -> int | None:
        log.info("%s Checking the project for a job of its name.", error)
        return next((job.job_id for job in target.list_flink_jobs() if job.name == name), None)

    job_id = call_with_reconciliation(lambda: target.run(call).job_id, find_by_name, log)
    if step.update_settings:
        try:
            _update(target, step, job_id, step.update_settings)
        except DliFailException as error:
            if not isinstance(error.error, RefusedError):
                raise
            log.warning("Job %d was created, and this update of it refused: %s", job_id, error)
    return job_id


def _update(target: DliHook, step: Step, job_id: int, names: Iterable[str]) -> None:
    """Send some settings of a job; those that only the target has are reset."""
    update = flink.update_jar_job if step.kind is JarJobChanges else flink.update_sql_job
    wanted = step.all_settings
    sent: Any = {name: wanted[name] if name in wanted else unset_value(step.kind, name) for name in names}
    if any(value is not None for value in sent.values()):
        with translated():
            call = update(job_id, **sent)
        target.run(call)


def _not_carried(target: DliHook, step: Step, job_id: int, log: Logger) -> tuple[str, ...]:
    """Get a job that was created or updated, and return the names of settings that differ from its source.

    The manual documents neither how a setting is reset, nor that DLI takes every one that it shows.
    """
    job = target.get_flink_job(job_id)
    with _readable(target, job):
        remaining = set(differing_settings(step.all_settings, job))
    names = tuple(name for name in dict.fromkeys([*step.all_settings, *step.changed]) if name in remaining)
    names += _unknown(step, job)
    if names:
        log.warning("Job %d %s does not have these settings as its source: %s", job_id, step.source.name, names)
    return names


def _unknown(step: Step, job: flink.FlinkJob) -> tuple[str, ...]:
    """Return the names of settings that differ and that no update takes.

    Settings that the manual does not have, or not for jobs of this type, and a directory of the job's own.
    """
    known = get_type_hints(step.kind).keys() | {"job_type"}
    if "checkpoint_path" not in step.all_settings:
        known -= {"checkpoint_path"}
    found = (each.field.removeprefix("job_config.") for each in differences(step.source, job))
    return tuple(dict.fromkeys(name for field in found if (name := field.partition(".")[0]) not in known))


def _failed(step: Step, error: DliException, done: Sequence[Mapping[str, Any]]) -> DliException:
    before = format_ids([f"{each['action']} {each['name']}" for each in done]) or "nothing"
    message = f"{step.action} {step.source.name}: {error.problem}. Done before it: {before}."
    return type(error)(message, advice=error.advice)
