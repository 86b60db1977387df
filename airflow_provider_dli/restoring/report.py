"""Put a report beside the archives."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.hooks.obs import ObsHook

if TYPE_CHECKING:
    from airflow_provider_dli.wording import Logger


def write_report(dli_conn_id: str, directory: ObsLocation, text: str, log: Logger) -> str:
    """Write a report to OBS.

    :param dli_conn_id: connection of type ``dli``
    :param directory: where to
    :param text: Markdown
    :param log: where to tell
    :returns: its place, as ``bucket/key``
    :raises DliException: if it cannot be written
    """
    name = f"restore-report-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.md"
    place = ObsLocation(directory.bucket, f"{directory.key}/{name}" if directory.key else name)
    ObsHook(dli_conn_id).put(place, text.encode(), "text/markdown; charset=utf-8")
    log.info("The report is %s", place.url)
    return str(place)
