"""Have a report written and a verdict told, so that neither hides the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_dli.client.locations import parse_directory
from airflow_provider_dli.exceptions import DliException, translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_dli.client.locations import ObsLocation


def directory_of(report_to: object) -> ObsLocation | None:
    """Give the directory that reports go to; None if no report is wanted.

    :param report_to: what an author gives
    :raises DliFailException: if it is no place in OBS
    """
    with translated():
        return None if report_to is None else parse_directory("report_to", report_to)


def file_and_judge(file: Callable[[], None], judge: Callable[[], None]) -> None:
    """File a report, then judge.

    :param file: writes the report
    :param judge: raises the verdict if it is red
    :raises DliException: the verdict, which also tells why the report was not written; or that alone where all is
        well
    """
    try:
        file()
    except DliException as trouble:
        _judge(judge, trouble)
        raise
    judge()


def _judge(judge: Callable[[], None], trouble: DliException) -> None:
    try:
        judge()
    except DliException as verdict:
        advice = verdict.advice
        told = str(verdict).removesuffix(advice or "").rstrip()
        raise type(verdict)(f"{told} The report was not written: {trouble}", advice=advice) from verdict
