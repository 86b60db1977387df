"""Have a report written and a verdict told, so that neither hides the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_dli.exceptions import DliException

if TYPE_CHECKING:
    from collections.abc import Callable


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
