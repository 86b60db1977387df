"""Put a report into OBS, beside those of the runs before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_dli.client.locations import ObsLocation
from airflow_provider_dli.exceptions import DliException, translated
from airflow_provider_dli.reporting.page import Report, data_of
from airflow_provider_dli.reporting.trend import Point

if TYPE_CHECKING:
    from airflow_provider_dli.hooks.obs import ObsHook
    from airflow_provider_dli.wording import Logger

#: runs in the picture, this one among them
_MOST = 20
_LARGEST = 4 * 1024 * 1024


def file_report(hook: ObsHook, directory: ObsLocation, kind: str, report: Report, log: Logger) -> str:
    """Write a report to OBS, with a picture of the last ones of its kind in the same directory.

    :param hook: writes it
    :param directory: where to; one for all runs, so that there is a trend
    :param kind: first part of the file's name, such as ``drill``
    :param report: what it says; its data must have ``value``, and ``good``
    :param log: where to tell
    :returns: its place, as ``bucket/key``
    :raises DliException: if it cannot be written
    """
    now = datetime.now(UTC)
    report = replace(report, facts={"When": f"{now:%Y-%m-%d %H:%M} UTC", **report.facts})
    points = [*_earlier(hook, directory, kind, log), _point(f"{now:%Y-%m-%d %H:%M}", report.data)]
    place = directory.below(f"{kind}-report-{now:%Y%m%dT%H%M%S%f}.html")
    hook.put(place, report.html(points).encode(), "text/html; charset=utf-8")
    log.info("The report is %s", place.url)
    return str(place)


def _earlier(hook: ObsHook, directory: ObsLocation, kind: str, log: Logger) -> list[Point]:
    """Give the last runs, oldest first. A report is worth having without them, so nothing fails for them."""
    try:
        keys = sorted(key for key, _ in hook.list_directory(directory).objects if _is_report(key, kind))
        found = [(key, _data(hook, ObsLocation(directory.bucket, key))) for key in keys[1 - _MOST :]]
    except DliException as error:
        log.info("The runs before are left out of the report: %s", error)
        return []
    return [_point(_moment(key), data) for key, data in found if data]


def _data(hook: ObsHook, place: ObsLocation) -> dict[str, Any] | None:
    facts = hook.find(place)
    if facts is None or facts.size > _LARGEST:
        return None
    with translated(), hook.open(place, facts) as reader:
        return data_of(reader.read(facts.size).decode("utf-8", "replace"))


def _point(label: str, data: Any) -> Point:  # noqa: ANN401 -- what a file held
    value = data.get("value")
    return Point(label, value if type(value) is int and value >= 0 else 0, bool(data.get("good")))


def _is_report(key: str, kind: str) -> bool:
    name = key.rpartition("/")[2]
    return name.startswith(f"{kind}-report-") and name.endswith(".html")


def _moment(key: str) -> str:
    stamp = key.rpartition("-")[2]
    return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]} {stamp[9:11]}:{stamp[11:13]}"
