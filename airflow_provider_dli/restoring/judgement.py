"""Green or red after an import, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.wording import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from airflow_provider_dli.restoring.outcome import Imported, ImportOutcome

_SHOWN = 20


def judge(outcome: ImportOutcome, expected: Collection[int | str], *, accept_clashes: bool) -> None:
    """Pass if every job was imported, and is there.

    :param outcome: what became of the import
    :param expected: ids or names of jobs that must be imported
    :param accept_clashes: whether jobs that exist may be left out
    :raises DliFailException: naming each job that is not as it should be, what was done all the same, and what
        to do
    """
    flaws = list(_flaws(outcome, expected, accept_clashes=accept_clashes))
    if not flaws:
        return
    there = [each for each in outcome.jobs if each.name is not None or each.adopted]
    raise DliFailException(
        f"{'; '.join(flaws)}. What was done: {counted(len(there), 'job')} imported; new in the project: "
        f"{_listed(outcome.created)}."
    )


def _flaws(outcome: ImportOutcome, expected: Collection[int | str], *, accept_clashes: bool) -> Iterator[str]:
    clashes = [each for each in outcome.jobs if each.clashes]
    if clashes and not accept_clashes:
        ids = _listed([each.old_job_id for each in clashes])
        yield (
            f"{len(clashes)} of {counted(len(outcome.jobs), 'job')} not imported, for jobs of their names exist: "
            f"{ids} (say is_cover=True to replace those, or on_clash='accept' to leave them as they are)"
        )
    ghosts = [each for each in outcome.jobs if each.new_job_id is not None and each.name is None]
    if ghosts:
        pairs = [f"{each.old_job_id} as {each.new_job_id}" for each in ghosts]
        yield f"DLI says that it imported what the project does not have: {_listed(pairs)}"
    imported = [each for each in outcome.jobs if not each.clashes]
    told = [] if accept_clashes else [each.old_job_id for each in clashes]
    # A job that the response does not name, or names without its new id, counts by its name in the project.
    appeared = set(outcome.appeared.values())
    missing = [
        wanted
        for wanted in expected
        if wanted not in told and wanted not in appeared and not any(_is(each, wanted) for each in imported)
    ]
    if missing:
        yield f"expected, and not imported: {_listed(missing)}"


def _is(job: Imported, wanted: int | str) -> bool:
    return job.old_job_id == wanted or (job.name is not None and job.name == wanted)


def _listed(items: Sequence[object]) -> str:
    shown = ", ".join(map(str, items[:_SHOWN])) or "none"
    return f"{shown} …" if len(items) > _SHOWN else shown
