"""Hold restored jobs against their sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.errors import ConfigurationError
from airflow_provider_dli.client.flink.diff import Difference, differences
from airflow_provider_dli.exceptions import DliFailException
from airflow_provider_dli.lifecycle.looking import find
from airflow_provider_dli.tables import markdown_table, text_table
from airflow_provider_dli.wording import Logger, counted

if TYPE_CHECKING:
    from airflow_provider_dli.client.flink import FlinkJob
    from airflow_provider_dli.hooks.dli import DliHook

_SHOWN = 20
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Pair:
    """A job, and the one that was restored from it.

    :param old_job_id: id of the source
    :param new_job_id: id of the restored one; None if there is none
    :param name: of the source; None if it is gone
    :param differences: the settings in which they differ; nothing if one of them is missing
    """

    old_job_id: int
    new_job_id: int | None
    name: str | None
    differences: tuple[Difference, ...] = ()

    @property
    def flaw(self) -> str | None:
        """What is wrong, or None."""
        if self.name is None:
            return "its source is gone, so that nothing can be compared"
        if self.new_job_id is None:
            return "not restored"
        fields = [
            f"{each.field} is {_short(each.restored)} and was {_short(each.source)}" for each in self.differences
        ]
        return "; ".join(fields) or None

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        fields = [
            {"field": each.field, "source": each.source, "restored": each.restored} for each in self.differences
        ]
        ids = {"old_job_id": self.old_job_id, "new_job_id": self.new_job_id, "name": self.name}
        return {**ids, "same": self.flaw is None, "flaw": self.flaw, "differences": fields}


def read_mapping(given: object) -> list[tuple[int, int | None]]:
    """Read which job was restored from which.

    :param given: what the import pushed, or a mapping of old to new ids
    :raises ConfigurationError: if it is neither, or empty
    """
    remedy = "give the output of the import, or a mapping of old to new ids"
    items: list[Any]
    if isinstance(given, Mapping):
        items = [{"old_job_id": old, "new_job_id": new} for old, new in given.items()]
    else:
        items = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else []
    if not items or not all(isinstance(item, Mapping) and "old_job_id" in item for item in items):
        raise ConfigurationError("job_mapping", f"{str(given)[:80]!r} names no restored job", remedy)
    try:
        return [(int(item["old_job_id"]), _id(item.get("new_job_id"))) for item in items]
    except (TypeError, ValueError):
        raise ConfigurationError("job_mapping", f"{str(given)[:80]!r} has what is no id", remedy) from None


def compare(
    source: DliHook, target: DliHook, mapping: Sequence[tuple[int, int | None]], log: Logger
) -> list[Pair]:
    """Hold each restored job against its source, all their settings.

    A job whose new id is not known is looked for by the name of its source.

    :param source: of the connection that the jobs were exported from
    :param target: of the connection that they were imported by
    :param mapping: old and new ids
    :param log: where to tell
    """
    is_told = all(new is not None for _, new in mapping)
    names = {} if is_told else {job.name: job.job_id for job in target.list_flink_jobs()}
    pairs: list[Pair] = []
    for old, new in mapping:
        original = find(source, old)
        number = new if new is not None else names.get(original.name if original else "")
        pairs.append(_pair(old, original, number, None if number is None else find(target, number)))
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
        raise DliFailException(
            f"{len(bad)} of {counted(len(pairs), 'job')} did not come back as they were: {listed}{more}. "
            "Do not rely on this archive: keep it as evidence, and export again."
        )


def _pair(old: int, original: FlinkJob | None, number: int | None, restored: FlinkJob | None) -> Pair:
    name = original.name if original else None
    if original is None or restored is None:
        return Pair(old, number if restored else None, name)
    return Pair(old, number, name, differences(original, restored))


def _rows(pairs: Sequence[Pair]) -> list[tuple[object, ...]]:
    # Those that are not well come first: a table may be cut.
    ordered = sorted(pairs, key=lambda pair: pair.flaw is None)
    return [(pair.old_job_id, pair.new_job_id, pair.name, pair.flaw or "same") for pair in ordered]


def _id(value: object) -> int | None:
    return None if value is None else int(str(value))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
