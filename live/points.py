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
    13: "Which jobs a list and an export of all jobs cover for an IAM user",
    14: "Which settings a new job comes back with",
    15: "Whether the ETag of an archive is the MD5 of its bytes",
    16: "How long an export takes, and whether the object is there when the response comes",
    17: "What OBS answers to a key about an object that is not there",  # quoted
}

#: by point: what it means for us, and how the row of sources.md begins
MEANINGS = {
    1: (
        "the verification takes the layout from every form that is known; teach it this one if it is not",
        "What an archive holds",
    ),
    2: ("several are read; a single one needs no change", "`zip_file` lists"),
    3: ("only the plain form is sent; others could be taken", "`obs_dir` is"),
    4: ("the largest batch_size that is known to work", "How many ids"),
    5: ("one refused id refuses its batch, or does not", "`DLI.16001`"),
    6: ("both are errors today, and an absent one needs zip_file or job_mapping", "`is_success` is not mandatory"),
    7: ("several statuses are filtered here unless the list takes them", "Whether `status`"),
    8: ("how often tasks may poll", "`APIGW.0308`"),
    9: ("which advice a task gives to a key without permission", "DLI's own denial"),
    10: ("where the link to the console leads", "The console is at"),
    11: ("each element must be a success; with one for each id they could be matched", "Run, stop"),
    12: ("codes that are not seen could be dropped", "`DLI.29001`"),
    13: ("whether is_selected: false is a whole backup with this key", "All jobs are those"),
    14: (
        "these are the service's own: compare and promote must not take them for a difference",
        "What the service fills in",
    ),
    15: ("where it is not, ignore the warning etag-mismatch", "The ETag is the MD5"),
    16: ("how long to search for the archive of a lost response: reconcile_timeout", "An export may take"),
    17: ("a key that waits for archives needs ListBucket, or does not", "Whether a key without"),
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
