"""Bring jobs of one project into another, with what must be otherwise there: queues, buckets, endpoints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

from airflow_provider_dli.client import flink
from airflow_provider_dli.client.errors import RefusedError
from airflow_provider_dli.client.flink.definitions import JAR_JOB
from airflow_provider_dli.client.flink.diff import differences, is_own_directory, plain
from airflow_provider_dli.client.flink.settings import DEFAULTS, JarJobChanges, SqlJobChanges, unset_value
from airflow_provider_dli.client.flink.status import PHASES, Phase, is_stoppable
from airflow_provider_dli.exceptions import DliException, DliFailException, translated
from airflow_provider_dli.lifecycle.looking import all_of
from airflow_provider_dli.restoring.comparing import project_of
from airflow_provider_dli.services.reconcile import call_with_reconciliation
from airflow_provider_dli.tables import text_table
from airflow_provider_dli.wording import Logger, counted

if TYPE_CHECKING:
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.restoring.mapped import Mapped


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done for one job.

    :param source: the job
    :param settings: those that it shall have in the target
    :param update_settings: those of them that only an update takes
    :param target: the job of its name there; None if there is none
    :param changed: names of the settings that differ there, also those that only the target has; all of the source
        if there is no such job
    """

    source: flink.FlinkJob
    settings: Mapping[str, Any]
    update_settings: Mapping[str, Any]
    target: flink.FlinkJob | None
    changed: tuple[str, ...]

    @property
    def wanted(self) -> Mapping[str, Any]:
        """All settings that the job shall have in the target."""
        return {**self.settings, **self.update_settings}

    @property
    def action(self) -> str:
        """``create``, ``update`` or ``same``."""
        if self.target is None:
            return "create"
        return "update" if self.changed else "same"

    def as_dict(self, job_id: int | None, not_carried: Sequence[str] = ()) -> dict[str, Any]:
        """Return it as plain JSON values.

        :param job_id: of the job in the target
        :param not_carried: names of the settings that the target does not have as the source has them, afterwards
        """
        return {
            "source_job_id": self.source.job_id,
            "job_id": job_id,
            "name": self.source.name,
            "action": self.action,
            "changed": list(self.changed) if self.target else [],
            "not_carried": list(not_carried),
        }


def plan(source: DliHook, target: DliHook, job_ids: Sequence[int], mapped: Mapped, log: Logger) -> list[Step]:
    """Look at both projects and tell what is to be done.

    :param source: of the project to take from
    :param target: of the project to bring into
    :param job_ids: ids of the jobs in the source
    :param mapped: what must be otherwise
    :param log: where to tell, as a table
    :raises DliFailException: if both are one project, a job does not exist, or something of ``mapped`` is found in
        none of them
    """
    if project_of(source) == project_of(target):
        raise DliFailException(
            f"source_conn_id and dli_conn_id are of one project, {target.project_id}; name the connection of "
            "another. Nothing was changed."
        )
    used: Counter[str] = Counter()
    jobs = all_of(source, job_ids)
    _refuse_twins(jobs.values())
    there = {job.name: job.job_id for job in target.list_flink_jobs()}
    for job in jobs.values():
        if is_own_directory(path := (job.raw.get("job_config") or {}).get("checkpoint_path"), job.job_id):
            log.info("Job %d keeps its directory for checkpoints, %s, to itself.", job.job_id, path)
    steps = [_step(target, job, mapped, used, there) for job in jobs.values()]
    rows = [
        (step.source.job_id, step.source.name, step.action, ", ".join(step.changed) if step.target else None)
        for step in steps
    ]
    for line in text_table(("id", "name", "action", "changed settings"), rows):
        log.info("  %s", line)
    if unused := mapped.unused(used):
        raise DliFailException(f"found in none of the jobs: {', '.join(unused)}; correct the mapping or the jobs")
    return steps


def _refuse_twins(jobs: Iterable[flink.FlinkJob]) -> None:
    """Refuse two jobs of one name: they would be one in the target, and which is left of them is chance."""
    ids: dict[str, list[str]] = {}
    for job in jobs:
        ids.setdefault(job.name, []).append(str(job.job_id))
    if twins := [f"{' and '.join(each)} are both called {name}" for name, each in ids.items() if len(each) > 1]:
        raise DliFailException(
            f"job_ids: {'; '.join(twins)}, and the target can have one job of a name; name one of them. "
            "Nothing was changed."
        )


def carry_out(target: DliHook, steps: Sequence[Step], log: Logger) -> list[dict[str, Any]]:
    """Create and update.

    :param target: of the project to bring into
    :param steps: what is to be done
    :param log: where to tell
    :raises DliFailException: before anything is changed, if a job that is to be updated runs or may by itself
    :raises DliException: naming what was done before it failed
    """
    busy = _busy(steps)
    if busy:
        listed = ", ".join(f"{job.job_id} {job.name} ({job.status})" for job in busy)
        raise DliFailException(
            f"a job that runs, or may by itself, cannot be changed: {listed}; stop it first. Nothing was changed."
        )
    done: list[dict[str, Any]] = []
    for step in steps:
        try:
            job_id = _carried_out(target, step, log)
            done.append(step.as_dict(job_id, _not_carried(target, step, job_id, log)))
        except DliException as error:
            raise _failed(step, error, done) from error.error or error
    log.info("Promoted %s into project %s.", counted(len(done), "job"), target.project_id)
    return done


def _failed(step: Step, error: DliException, done: Sequence[Mapping[str, Any]]) -> DliException:
    before = ", ".join(f"{each['action']} {each['name']}" for each in done) or "nothing"
    advice = error.advice
    # What to do stands at the end, also where the client's error has told it already.
    why = str(error).removesuffix(advice or "").rstrip(" ;.")
    return type(error)(f"{step.action} {step.source.name}: {why}. Done before it: {before}.", advice=advice)


def _step(
    target: DliHook, job: flink.FlinkJob, mapped: Mapped, used: Counter[str], there: Mapping[str, int]
) -> Step:
    settings = mapped.apply(flink.settings_of(job), used)
    update_settings = mapped.apply(flink.update_settings_of(job), used)
    known = target.get_flink_job(there[job.name]) if job.name in there else None
    if known is None:
        return Step(job, settings, update_settings, None, (*settings, *update_settings))
    if known.job_type != job.job_type:
        raise DliFailException(
            f"job {job.name} is a {job.job_type}, and the target has one of that name that is a {known.job_type}"
        )
    return Step(job, settings, update_settings, known, _differing({**settings, **update_settings}, known))


def _differing(wanted: Mapping[str, Any], job: flink.FlinkJob) -> tuple[str, ...]:
    """Return the names of settings that a job does not have as wanted: others, none, or where none is wanted."""
    has = {**flink.settings_of(job), **flink.update_settings_of(job)}
    return tuple(
        name
        for name in dict.fromkeys([*wanted, *has])
        if plain(has.get(name)) != plain(wanted.get(name))
        and not (name not in wanted and has[name] == DEFAULTS.get(name))
    )


def _carried_out(target: DliHook, step: Step, log: Logger) -> int:
    if step.target is not None:
        if step.changed:
            _update(target, step, step.target.job_id, step.changed)
        return step.target.job_id
    with translated():
        create = _creation(step)
    job_id = _created(target, step.source.name, create, log)
    if step.update_settings:
        try:
            _update(target, step, job_id, step.update_settings)
        except DliFailException as error:
            if not isinstance(error.error, RefusedError):
                raise
            log.warning("Job %d was created, and this update of it refused: %s", job_id, error)
    return job_id


def _update(target: DliHook, step: Step, job_id: int, names: Iterable[str]) -> None:
    """Send some settings of a job; what only the target has is taken back."""
    is_jar = step.source.job_type == JAR_JOB
    kind, update = (JarJobChanges, flink.update_jar_job) if is_jar else (SqlJobChanges, flink.update_sql_job)
    wanted = step.wanted
    sent: Any = {name: wanted[name] if name in wanted else unset_value(kind, name) for name in names}
    if any(value is not None for value in sent.values()):
        with translated():
            call = update(job_id, **sent)
        target.run(call)


def _not_carried(target: DliHook, step: Step, job_id: int, log: Logger) -> tuple[str, ...]:
    """Look at a job that was created or updated, and name what it does not have as the source has it.

    How DLI takes a setting back is not established, nor whether it takes every one that it shows.
    """
    there = target.get_flink_job(job_id)
    left = set(_differing(step.wanted, there))
    names = tuple(name for name in dict.fromkeys([*step.wanted, *step.changed]) if name in left)
    names += _unknown(step, there)
    if names:
        log.warning("Job %d %s does not have these settings as its source: %s", job_id, step.source.name, names)
    return names


def _unknown(step: Step, there: flink.FlinkJob) -> tuple[str, ...]:
    """Name what a comparison of the two jobs finds beside the settings that an update takes.

    Settings that the manual does not have, or not for jobs of this type, and a directory of the job's own.
    """
    kind = JarJobChanges if step.source.job_type == JAR_JOB else SqlJobChanges
    known = get_type_hints(kind).keys() | {"job_type"}
    if "checkpoint_path" not in step.wanted:
        known -= {"checkpoint_path"}
    found = (each.field.removeprefix("job_config.") for each in differences(step.source, there))
    return tuple(dict.fromkeys(name for field in found if (name := field.partition(".")[0]) not in known))


def _creation(step: Step) -> flink.Call[flink.CreatedJob]:
    settings: Any = step.settings
    if step.source.job_type == JAR_JOB:
        return flink.create_jar_job(step.source.name, **settings)
    return flink.create_sql_job(step.source.name, job_type=step.source.job_type, **settings)


def _created(target: DliHook, name: str, call: flink.Call[flink.CreatedJob], log: Logger) -> int:
    """Create a job; where the answer is lost, its name tells whether it is there."""

    def look(error: DliException) -> int | None:
        log.info("%s Looking for the job by its name.", error)
        return next((job.job_id for job in target.list_flink_jobs() if job.name == name), None)

    return call_with_reconciliation(lambda: target.run(call).job_id, look, log)


def to_stop(steps: Sequence[Step]) -> list[int]:
    """Give the jobs of the target that must be stopped before they can be updated.

    :param steps: what is to be done
    """
    return [job.job_id for job in _busy(steps)]


def _busy(steps: Sequence[Step]) -> list[flink.FlinkJob]:
    targets = [step.target for step in steps if step.action == "update" and step.target]
    return [job for job in targets if is_stoppable(job) or PHASES[job.status] is Phase.MOVING]
