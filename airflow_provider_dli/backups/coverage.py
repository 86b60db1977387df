"""Coverage: which live jobs could be brought back now, to which state, and since when that is proven.

The result of a check is a document beside the backups, ``<catalogue>/<project id>/reports/coverage-<time>.json``.
"""

from __future__ import annotations

import re
from datetime import UTC
from typing import Literal

from pydantic import AwareDatetime, ValidationError

from airflow_provider_dli.backups.catalogue import MAX_DOCUMENT, Catalogue
from airflow_provider_dli.backups.manifest import SCHEMA_VERSION, STAMP, Document, Level
from airflow_provider_dli.client.locations import ObsLocation

REPORTS = "reports"
_NAME = re.compile(r"coverage-[0-9]{8}T[0-9]{6}Z\.json")
#: reports that are tried, newest first: one that cannot be read must not hide the others, nor cost a request each
_TRIED = 5

#: what is wrong. Of a job: ``no_backup``: no usable backup has it; ``too_old``: the youngest that has it is older
#: than ``max_age``; ``changed``: its settings differ from those in that backup; ``not_drilled``: no restore drill
#: within ``drill_max_age`` has found it equal. Of a backup: ``damaged``, ``unreadable``. Of the project:
#: ``no_backups``; ``no_jobs``: the key sees none; ``not_checked``: its connection or its jobs cannot be read.
#: Warnings, which fail nothing: ``incomplete``: a directory without a manifest, older than a day; ``unnamed``: an
#: archive that its backup's manifest does not name
Kind = Literal[
    "no_backup",
    "too_old",
    "changed",
    "not_drilled",
    "damaged",
    "unreadable",
    "no_backups",
    "no_jobs",
    "not_checked",
    "incomplete",
    "unnamed",
]


class Problem(Document):
    """What is wrong with a job, a backup, or a whole project.

    :param name: of the job, as DLI has it
    :param message: in one line
    """

    kind: Kind
    job_id: int | None = None
    name: str | None = None
    backup_id: str | None = None
    message: str


class JobCoverage(Document):
    """A live job, and the youngest usable backup that has it.

    :param status: of the job, when it was checked
    :param backup_id: None if no usable backup has it
    :param verified_at: when that backup was last found intact
    :param exported_at: of that backup
    :param drilled_at: when a restore drill last found the job equal to its source
    :param changed: whether its settings differ from those in that backup; None without one
    """

    job_id: int
    name: str
    job_type: str
    status: str
    backup_id: str | None = None
    verified_at: AwareDatetime | None = None
    exported_at: AwareDatetime | None = None
    drilled_at: AwareDatetime | None = None
    changed: bool | None = None


class Coverage(Document):
    """The result of a check of one project.

    :param checked_at: by the store's clock
    :param passed: whether there is no problem
    :param level: that a backup must have been verified at
    :param max_age: seconds since the export of the youngest usable backup of a job, at most
    :param drill_max_age: seconds since the last drill of a job, at most; None if drills are not required
    :param problems: for which the check fails
    :param warnings: for which it does not
    :param jobs: all live jobs that are not excluded, in the order of their ids
    """

    schema_version: int = SCHEMA_VERSION
    checked_at: AwareDatetime
    project_id: str
    passed: bool
    level: Level
    max_age: float
    drill_max_age: float | None = None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    jobs: tuple[JobCoverage, ...] = ()


def newest_coverage(catalogue: Catalogue, project_id: str) -> Coverage | None:
    """Return the result of the last check of a project; None if there is none, or none that can be read.

    :raises DliException: if the catalogue cannot be listed or read
    """
    directory = catalogue.root.below(project_id).below(REPORTS)
    names = (entry.key.rpartition("/")[2] for entry in catalogue.obs.list_tree(directory))
    found = sorted((name for name in names if _NAME.fullmatch(name)), reverse=True)
    for name in found[:_TRIED]:
        data = catalogue.obs.read(directory.below(name), MAX_DOCUMENT)
        try:
            coverage = Coverage.model_validate_json(data or b"")
        except ValidationError:
            continue
        if (coverage.schema_version, coverage.project_id) == (SCHEMA_VERSION, project_id):
            return coverage
    return None


def write_coverage(catalogue: Catalogue, coverage: Coverage) -> ObsLocation:
    """Write the result of a check beside the backups of its project; return its place.

    :raises DliException: if it cannot be written
    """
    name = f"coverage-{coverage.checked_at.astimezone(UTC):{STAMP}}.json"
    place = catalogue.root.below(coverage.project_id).below(REPORTS).below(name)
    # Nothing in a catalogue is written twice; a check of the same second has found the same.
    if not catalogue.obs.find(place):
        catalogue.obs.put(place, coverage.model_dump_json(exclude_none=True).encode(), "application/json")
    return place
