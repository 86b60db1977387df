"""Compare restored jobs with their sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from airflow_provider_dli.client.flink.diff import differences
from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.lifecycle.looking import find
from airflow_provider_dli.restoring.pair import Pair
from airflow_provider_dli.tables import markdown_table, text_table
from airflow_provider_dli.wording import Logger, counted

if TYPE_CHECKING:
    from airflow_provider_dli.client.flink import FlinkJob
    from airflow_provider_dli.hooks.dli import DliHook
    from airflow_provider_dli.parameters.kinds import Restored

_SHOWN = 20
_EVIDENCE = "Do not rely on this archive: keep it as evidence, and export again."
_ELSEWHERE = (
    "Nothing is proven of these: import them into a project that has no jobs of their names, and compare while "
    "their sources are there."
)


def compare(
    source: DliHook, target: DliHook, mapping: Sequence[Restored], log: Logger, *, show_values: bool = False
) -> list[Pair]:
    """Compare each restored job with its source, all their settings.

    A job that the import has adopted is looked for by the name of its source: its new id is not known.

    :param source: of the connection that the jobs were exported from
    :param target: of the connection that they were imported by
    :param mapping: which was restored from which
    :param log: where to tell
    :param show_values: whether values are shown that may hold secrets
    """
    names = _names(target) if any(each.adopted for each in mapping) else {}
    is_one_project = project_of(source) == project_of(target)
    pairs: list[Pair] = []
    for each in mapping:
        original = find(source, each.old_job_id)
        number = _new_id(each, original, names)
        if is_one_project and number == each.old_job_id:
            pairs.append(Pair(number, number, original.name if original else None, is_itself=True))
        else:
            pairs.append(_pair(each.old_job_id, original, number, target, show_values=show_values))
    log.info("Compared %s:", counted(len(pairs), "job"))
    for line in text_table(("old id", "new id", "name", "result"), _rows(pairs)[:_SHOWN]):
        log.info("  %s", line)
    return pairs


def markdown(pairs: Sequence[Pair], title: str) -> str:
    """Write a report as Markdown.

    :param pairs: the jobs
    :param title: its first line
    """
    table = markdown_table(("old id", "new id", "name", "result"), _rows(pairs))
    own = "Ids, people, times and state are a job's own and not compared."
    return f"# {title}\n\n**{verdict_on(pairs)}**\n\n{table}\n{own}\n"


def verdict_on(pairs: Sequence[Pair]) -> str:
    """Say in a sentence how it went.

    :param pairs: the jobs
    """
    bad = sum(pair.flaw is not None for pair in pairs)
    if bad:
        return f"{bad} of {counted(len(pairs), 'job')} did not come back as they were."
    return f"All {counted(len(pairs), 'job')} came back as they were."


def judge(pairs: Sequence[Pair]) -> None:
    """Pass if every job came back as it was.

    :param pairs: the jobs
    :raises DliFailException: naming each job and setting that differs
    """
    bad = [pair for pair in pairs if pair.flaw]
    if bad:
        listed = " | ".join(f"job {pair.old_job_id} {pair.name or ''}: {pair.flaw}" for pair in bad[:_SHOWN])
        more = f" … and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        advice = _EVIDENCE if any(pair.differences for pair in bad) else _ELSEWHERE
        raise DliFailException(
            f"{len(bad)} of {counted(len(pairs), 'job')} did not come back as they were: {listed}{more}.",
            advice=advice,
        )


def _names(hook: DliHook) -> dict[str, int]:
    return {job.name: job.job_id for job in hook.list_flink_jobs()}


def project_of(hook: DliHook) -> tuple[str, str]:
    """Return what tells two projects apart.

    :param hook: of one
    """
    return hook.account.endpoint, hook.project_id


def _new_id(told: Restored, original: FlinkJob | None, names: Mapping[str, int]) -> int | None:
    if told.new_job_id is None and told.adopted and original:
        return names.get(original.name)
    return told.new_job_id


def _pair(old: int, original: FlinkJob | None, number: int | None, target: DliHook, *, show_values: bool) -> Pair:
    restored = None if number is None else find(target, number)
    name = original.name if original else None
    if original is None or restored is None:
        return Pair(old, number if restored else None, name)
    return Pair(old, number, name, differences(original, restored), show_values=show_values)


def _rows(pairs: Sequence[Pair]) -> list[tuple[object, ...]]:
    # Those that are not well come first: a table may be cut.
    ordered = sorted(pairs, key=lambda pair: pair.flaw is None)
    return [(pair.old_job_id, pair.new_job_id, pair.name, pair.flaw or "same") for pair in ordered]
