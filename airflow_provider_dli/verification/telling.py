"""Tell in the log what was proven, and what was not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_dli.wording import counted, lasting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_dli.verification.report import ArchiveReport
    from airflow_provider_dli.wording import Logger

#: archives that are told of one by one; of more, those that are sound stand in a group that the UI folds
_FEW = 3


def tell(reports: Sequence[ArchiveReport], seconds: float, log: Logger) -> None:
    """Tell of every archive, those that are not sound at the end, and of all together.

    :param reports: on each
    :param seconds: how long it took to read them
    :param log: where to tell
    """
    sound = [report for report in reports if report.sound]
    if len(sound) > _FEW:
        log.info("::group::%s", counted(len(sound), "sound archive"))
    _each(sound, log)
    if len(sound) > _FEW:
        log.info("::endgroup::")
    _each([report for report in reports if not report.sound], log)
    if sound:
        entries = sum(len(report.report.entries) for report in sound if report.report)
        size = sum(report.facts.size for report in sound if report.facts)
        log.info(
            "%s of %s %s: %s, %s bytes, in %s.",
            f"{len(sound):,}",
            counted(len(reports), "archive"),
            sound[0].proven,
            counted(entries, "entry", "entries"),
            f"{size:,}",
            lasting(seconds),
        )


def _each(reports: Sequence[ArchiveReport], log: Logger) -> None:
    for report in reports:
        for line in report.lines():
            log.info("%s", line)
