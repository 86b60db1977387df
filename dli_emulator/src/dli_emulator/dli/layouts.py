"""What is in an archive: names and contents of its entries.

INVENTED, all of it: DLI publishes neither. There are several layouts, so that a client which depends on one of
them is noticed; each holds the same, every job in the shape of ``job_detail``.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Job = dict[str, Any]
Entries = Iterable[tuple[str, bytes]]

_CONFIG = "job_config."
#: strings, which properties have as they are; all else is written as JSON
_STRINGS = {
    "name", "job_type", "status", "desc", "status_desc", "queue_name", "user_id", "project_id", "sql_body",
    "run_mode", "main_class", "entrypoint_args", "execution_graph", "savepoint_path",
}  # fmt: skip
_CONFIG_STRINGS = {
    "obs_bucket", "smn_topic", "udf_jar_url", "entrypoint", "execution_agency_urn", "runtime_config",
    "flink_log_config", "graph_editor_data", "checkpoint_path", "config_url", "image", "feature", "flink_version",
    "operator_config", "static_estimator_config", "checkpoint_mode", "dirty_data_strategy",
    "resource_config_version",
}  # fmt: skip


class UnreadableError(Exception):
    """An archive from which no jobs can be read."""


def write_archive(jobs: Sequence[Job], moment: float, layout: str) -> bytes:
    """Write jobs into a ZIP archive.

    :param jobs: each in the shape of ``job_detail``
    :param moment: epoch seconds that the entries are dated with
    :param layout: one of those of :class:`~dli_emulator.settings.Settings`
    """
    if layout == "gbk":
        return _named_in_gbk(jobs, moment)
    if layout == "nested":
        return _zipped(((f"{job['job_id']}.zip", write_archive([job], moment, "jobs")) for job in jobs), moment)
    return _zipped(_ENTRIES[layout](jobs), moment)


def jobs_in(data: bytes) -> list[Job]:
    """Read the jobs of an archive of whichever layout, each in the shape of ``job_detail``.

    :param data: the archive
    :raises UnreadableError: if it is none, is damaged, or its entries are no jobs
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            jobs = [job for entry in archive.infolist() for job in _read(entry.filename, archive.read(entry))]
    except (zipfile.BadZipFile, ValueError, EOFError, zlib.error, NotImplementedError) as problem:
        raise UnreadableError(str(problem)) from None
    if not jobs or not all(_is_job(job) for job in jobs):
        raise UnreadableError("there are no jobs in it")
    return jobs


def _is_job(content: object) -> bool:
    return isinstance(content, dict) and "job_id" in content and "name" in content


def _read(name: str, data: bytes) -> list[Job]:
    if name.endswith(".zip"):
        return jobs_in(data)
    if name.endswith(".properties"):
        return [_job_of(data.decode("ascii"))]
    content = json.loads(data)
    if isinstance(content, dict) and isinstance(content.get("jobs"), list):
        return list(content["jobs"])
    return [content]


def _zipped(entries: Entries, moment: float) -> bytes:
    date = datetime.fromtimestamp(moment, UTC).timetuple()[:6]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name, date), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _as_json(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


def _one_each(jobs: Sequence[Job]) -> Entries:
    return ((f"{job['job_id']}.json", _as_json(job)) for job in jobs)


def _one_for_all(jobs: Sequence[Job]) -> Entries:
    return [("jobs.json", _as_json({"jobs": jobs}))]


def _properties(jobs: Sequence[Job]) -> Entries:
    return ((f"{job['job_id']}.properties", _lines_of(job).encode("ascii")) for job in jobs)


_ENTRIES: Mapping[str, Callable[[Sequence[Job]], Entries]] = {
    "jobs": _one_each,
    "one_json": _one_for_all,
    "properties": _properties,
}


def _named_in_gbk(jobs: Sequence[Job], moment: float) -> bytes:
    """Name the entries as programs on a Chinese Windows do; a character that GBK does not have is a ``?``."""
    names = {}
    for job in jobs:
        name = f"{job['name']}_{job['job_id']}.json".replace("/", "_").encode("gbk", errors="replace")
        names[f"\x01{job['job_id']}".ljust(len(name), "\x02")] = name  # as long, and in nothing else
    entries = ((place, _as_json(job)) for place, job in zip(names, jobs, strict=True))
    data = _zipped(entries, moment)
    for place, name in names.items():
        data = data.replace(place.encode(), name)
    return data


def _lines_of(job: Job) -> str:
    """Write a job as lines of a Java properties file."""
    flat = {name: value for name, value in job.items() if name != "job_config"}
    flat |= {f"{_CONFIG}{name}": value for name, value in job["job_config"].items()}
    return "".join(f"{name}={_escaped(name, value)}\n" for name, value in flat.items() if value is not None)


def _is_string(name: str) -> bool:
    return name in _STRINGS or name.removeprefix(_CONFIG) in _CONFIG_STRINGS


def _escaped(name: str, value: object) -> str:
    text = str(value) if _is_string(name) else json.dumps(value)
    text = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return "".join(each if " " <= each <= "~" else _unit(each) for each in text)


def _unit(character: str) -> str:
    units = character.encode("utf-16-be", errors="surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


_ESCAPE = re.compile(r"\\(?:u([0-9a-f]{4})|(.))")


def _job_of(text: str) -> Job:
    pairs = (line.partition("=") for line in text.splitlines())
    flat = {name: _value(name, value) for name, _, value in pairs}
    own = {name: value for name, value in flat.items() if not name.startswith(_CONFIG)}
    config = {name.removeprefix(_CONFIG): value for name, value in flat.items() if name.startswith(_CONFIG)}
    unset = dict.fromkeys(_STRINGS) | {"edge_group_ids": None}
    return unset | own | {"job_config": config}


def _value(name: str, value: str) -> Any:  # noqa: ANN401 - any JSON
    text = _ESCAPE.sub(
        lambda found: chr(int(found[1], 16)) if found[1] else {"n": "\n", "r": "\r"}.get(found[2], found[2]), value
    )
    text = text.encode("utf-16-be", errors="surrogatepass").decode("utf-16-be")
    return text if _is_string(name) else json.loads(text)
