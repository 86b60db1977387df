"""Whether an archive holds the jobs that were requested.

The layout of DLI's archives is not documented. Where the jobs are recognised, their ids decide; where they are
not, the archive says nothing, which is a state of its own.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.flink.values import number_of
from airflow_provider_dli.client.replies import UNREADABLE
from airflow_provider_dli.exceptions import DliFailException, translated

if TYPE_CHECKING:
    import zipfile

    from airflow_provider_dli.hooks.obs import ObsHook

#: bytes of an archive, and of what it unpacks to, beyond which it is not read for this
_MOST_PACKED, _MOST_UNPACKED = 64 << 20, 256 << 20


class Fit(Enum):
    """What the content of an archive says of a request."""

    FITS = "holds exactly the requested jobs"
    OTHER = "holds other jobs"
    SILENT = "does not show which jobs it holds"


def fit_of(obs: ObsHook, archive: str, job_ids: Collection[int]) -> Fit:
    """Compare the jobs of an archive with those that were requested.

    :param obs: reads the archive
    :param archive: ``bucket/key``
    :param job_ids: ids of the requested jobs
    :raises DliException: if OBS does not answer; a later look may go better
    """
    import zipfile
    import zlib

    try:
        with translated():
            facts = obs.find(archive)
            if facts is None or not facts.readable or facts.size > _MOST_PACKED:
                return Fit.SILENT
            with obs.open(archive, facts) as reader, zipfile.ZipFile(reader) as opened:
                return _compared(opened, frozenset(job_ids))
    except (DliFailException, zipfile.error, zlib.error, EOFError, OSError, NotImplementedError, *UNREADABLE):
        return Fit.SILENT


def _compared(opened: zipfile.ZipFile, wanted: frozenset[int]) -> Fit:
    files = [entry for entry in opened.infolist() if not entry.is_dir()]
    if not files or sum(entry.file_size for entry in files) > _MOST_UNPACKED:
        return Fit.SILENT
    found = _in_contents(opened, files)
    if found is not None:
        return Fit.FITS if found == wanted else Fit.OTHER
    stems = [entry.filename.rpartition("/")[2].partition(".")[0] for entry in files]
    named = {number_of(stem) for stem in stems if stem.isascii() and stem.isdigit()}
    # Numbers that are other ones may count the entries, and name no jobs.
    return Fit.FITS if named == wanted and len(stems) == len(wanted) else Fit.SILENT


def _in_contents(opened: zipfile.ZipFile, files: list[zipfile.ZipInfo]) -> frozenset[int] | None:
    """Return the ids of the jobs; None if some file is not JSON that names one or several."""
    found: set[int] = set()
    for entry in files:
        ids = set(_ids_of(json.loads(opened.read(entry))))
        if not ids:
            return None
        found |= ids
    return frozenset(found)


def _ids_of(document: Any) -> Iterator[int]:  # noqa: ANN401 -- what JSON holds has no type
    """Give the ids of a document: of one job, of its detail, or of a list of either."""
    for each in document if isinstance(document, list) else [document]:
        if not isinstance(each, Mapping):
            continue
        detail = each.get("job_detail")
        job_id = number_of(each.get("job_id", detail.get("job_id") if isinstance(detail, Mapping) else None))
        if job_id is not None:
            yield job_id
