"""What DLI's manual leaves open, point by point, and what a question can find out about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any
from zipfile import BadZipFile

from airflow_provider_dli.client.errors import DliClientError
from airflow_provider_dli.exceptions import DliException

POINTS = {
    1: "How an exported archive is laid out, and how its files are named",
    2: "Whether one export can give more than one archive",
    3: "Which forms of obs_dir an export takes",
    4: "How many ids one call takes",
    5: "What an export returns for ids and places that are not there, and what it makes of a partly right list",
    6: "Whether a response of status 200 ever has is_success: false",
    7: "How the list's filters status and name and its limit behave at their edges",
    8: "How many requests DLI takes, and how it reports it",
    9: "What DLI returns to somebody without a permission in IAM",
    10: "Where the console shows a Flink job",
    11: "How the arrays that a batch responses with relate to its ids",
    12: "Whether the error codes of the 2020 manual are still in use",
}


class Outcome(StrEnum):
    """How a question ended."""

    DECIDED = "decided"  #: the response decides the point, for this account and today
    SEEN = "seen"  #: something was seen that does not decide it
    SKIPPED = "skipped"  #: not sent; with the reason
    FAILED = "failed"  #: sent, and there was no usable response


@dataclass(frozen=True)
class Finding:
    """What a question found.

    :param point: number in :data:`POINTS`
    :param question: what was to be found, in words
    :param outcome: how it ended
    :param result: what was found, in words, masked
    :param evidence: statuses, codes, counts and shapes; nothing that is somebody's own
    """

    point: int
    question: str
    outcome: Outcome
    result: str
    evidence: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return asdict(self)


#: a question: its point, its words, and what sends it and returns outcome, words and evidence
Result = tuple[Outcome, str, dict[str, Any]]


@dataclass(frozen=True)
class Question:
    """One question.

    :param point: number in :data:`POINTS`
    :param text: in words
    :param put: sends, and returns outcome, words and evidence
    """

    point: int
    text: str
    put: Callable[[], Result]

    def response(self) -> Finding:
        """Send; that there is no response is a finding too, without the words of the error, which name hosts."""
        try:
            return Finding(self.point, self.text, *self.put())
        except (DliClientError, DliException, BadZipFile, LookupError, TypeError, ValueError) as error:
            result = f"no usable response: {type(error).__name__}"
            return Finding(self.point, self.text, Outcome.FAILED, result)


def skipped(point: int, text: str, why: str) -> Question:
    """Make a question that is not sent.

    :param point: number in :data:`POINTS`
    :param text: in words
    :param why: the reason, and what would be necessary
    """
    return Question(point, text, lambda: (Outcome.SKIPPED, why, {}))
