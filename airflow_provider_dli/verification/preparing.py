"""Check what an author gives, before anything is asked; what operator and sensor share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_dli.exceptions import translated
from airflow_provider_dli.hooks.obs import ObsHook
from airflow_provider_dli.parameters import archive_places, expected_jobs, seconds
from airflow_provider_dli.verification.demands import Demands
from airflow_provider_dli.verification.verify import Verification

if TYPE_CHECKING:
    from airflow_provider_dli.client.locations import ObsLocation
    from airflow_provider_dli.verification.demands import Level
    from airflow_provider_dli.wording import Logger


def prepared(
    zip_file: object,
    dli_conn_id: str,
    log: Logger,
    *,
    level: Level | str,
    jobs: object = None,
    jobs_given: bool = False,
    min_entries: int = 1,
    max_age: Any = None,  # noqa: ANN401 -- checked here
) -> tuple[list[ObsLocation], Verification]:
    """Give the places of the archives, and what verifies them.

    :param zip_file: one entry ``bucket/key``, a list of them, or a list as a template writes it
    :param dli_conn_id: connection of type ``dli``
    :param log: where to tell
    :param level: how much of each is read
    :param jobs: ids or names of jobs that must be in them
    :param jobs_given: whether the author gave any
    :param min_entries: fewest entries of each
    :param max_age: seconds since each was written, or a timedelta, at most; None for any age
    :raises DliFailException: naming the parameter, if one makes no sense
    """
    with translated():
        places = archive_places(zip_file)
        expected = expected_jobs(jobs, given=jobs_given)
        age = None if max_age is None else seconds("max_age", max_age)
        demands = Demands(level, expected, min_entries, age)
    return places, Verification(ObsHook(dli_conn_id), demands, log)
