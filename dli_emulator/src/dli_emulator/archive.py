"""The archive that an export writes, and the ways a fault spoils it.

INVENTED: DLI publishes neither the names nor the contents of the entries. Here each job is one entry
``<job_id>.json`` in the shape of ``job_detail``. Depend on none of it.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from dli_emulator.faults import Fault
from dli_emulator.jobs import FlinkJob


def archive_of(jobs: Iterable[FlinkJob], moment: float) -> bytes:
    """Write jobs into a ZIP archive.

    :param jobs: one entry each
    :param moment: epoch seconds that the entries are dated with
    """
    date = datetime.fromtimestamp(moment, UTC).timetuple()[:6]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for job in jobs:
            entry = zipfile.ZipInfo(f"{job.job_id}.json", date)
            text = json.dumps(job.detail(), ensure_ascii=False, indent=1)
            archive.writestr(entry, text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


class UnreadableError(Exception):
    """An archive from which no jobs can be read."""


def jobs_in(data: bytes) -> list[dict[str, Any]]:
    """Read the jobs of an archive, each in the shape of ``job_detail``.

    :param data: the archive
    :raises UnreadableError: if it is none, is damaged, or its entries are no jobs
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            jobs = [json.loads(archive.read(name)) for name in archive.namelist()]
    except (zipfile.BadZipFile, ValueError, EOFError, zlib.error, NotImplementedError) as flaw:
        raise UnreadableError(str(flaw)) from None
    if not jobs or not all(isinstance(job, dict) and "job_id" in job and "name" in job for job in jobs):
        raise UnreadableError("there are no jobs in it")
    return jobs


def spoiled(data: bytes, fault: Fault | None) -> bytes:
    """Give the archive as it gets into the store.

    :param data: the sound archive
    :param fault: ``archive_cut`` keeps the first ``keep`` bytes, half of them by default; ``archive_flipped``
        inverts the byte ``at`` that offset, by default in the middle of the first entry's data; any other leaves
        the archive as it is
    """
    if fault is not None and fault.kind == "archive_cut":
        keep = fault["keep"]
        return data[: len(data) // 2 if keep is None else keep]
    if fault is not None and fault.kind == "archive_flipped":
        at = fault["at"]
        return _flipped(data, _inside_first_entry(data) if at is None else at)
    return data


def _flipped(data: bytes, at: int) -> bytes:
    spot = at % len(data)
    return data[:spot] + bytes([data[spot] ^ 0xFF]) + data[spot + 1 :]


def _inside_first_entry(data: bytes) -> int:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entry = archive.infolist()[0]
    header = entry.header_offset
    name, extra = (int.from_bytes(data[header + at : header + at + 2], "little") for at in (26, 28))
    return header + 30 + name + extra + entry.compress_size // 2
