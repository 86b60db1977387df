"""The report of a drill, to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from airflow_provider_dli.reporting.page import Report, Table

if TYPE_CHECKING:
    from airflow_provider_dli.restoring.pair import Pair


def report_of(pairs: Sequence[Pair], verdict: str, facts: Mapping[str, object]) -> Report:
    """Make the report on restored jobs.

    :param pairs: the jobs and their sources
    :param verdict: one sentence
    :param facts: name to value: when, which projects
    """
    ordered = sorted(pairs, key=lambda pair: pair.flaw is None)
    bad = frozenset(number for number, pair in enumerate(ordered) if pair.flaw)
    rows = [(pair.old_job_id, pair.new_job_id, pair.name, pair.flaw or "same") for pair in ordered]
    jobs = Table("Jobs", ("Old id", "New id", "Name", "Result"), rows, bad)
    fields = [
        (
            pair.old_job_id,
            pair.name,
            each.field,
            each.describe(each.source, show_values=pair.show_values),
            each.describe(each.restored, show_values=pair.show_values),
        )
        for pair in ordered
        for each in pair.differences
    ]
    head = ("Old id", "Name", "Setting", "Was", "Is")
    differences = [Table("Settings that differ", head, fields, frozenset(range(len(fields))))] if fields else []
    data = {"value": len(pairs), "good": not bad, "jobs": [pair.as_dict() for pair in ordered]}
    return Report(
        "Restored Flink jobs compared with their sources", not bad, verdict, facts, [jobs, *differences], data
    )
