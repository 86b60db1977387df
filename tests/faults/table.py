"""Faults, and the required outcome of a task or a call that meets them: one table for the tests and for the docs.

``python -m tests.faults.table`` writes ``docs/quality/faults.md`` again.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.kinds import KINDS, Kind
from tests.faults.tasks import TASKS, Task
from tests.pages import with_section

PAGE = Path(__file__).parents[2] / "docs" / "quality" / "faults.md"
#: how the first attempt of each task of the lab ends that meets a fault; ``python -m tests.faults.lab`` writes it
OUTCOMES = Path(__file__).with_name("outcomes.csv")

RESULT, RETRY, FAIL = "result", "DliException", "DliFailException"
EXPORT, LIST, SHOW = "ExportFlinkJobs", "ListFlinkJobs", "ShowFlinkJob"


@dataclass(frozen=True)
class Row:
    """One fault and what must hold.

    :param operation: the call that meets it
    :param kind: kind of the emulator's fault
    :param outcome: what the hook's caller gets
    :param requests: how many requests the service sees
    :param exports: how many archives lie in the store afterwards
    :param message: part of the failure's message
    :param parameters: of the fault
    :param times: how often the fault strikes; None for always
    :param budget: the connection's ``retry_budget``
    :param auth_type: of the connection
    """

    operation: str
    kind: str
    outcome: str
    requests: int
    exports: int
    message: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    times: int | None = 1
    budget: float = 60
    auth_type: str = "access_key"

    def __str__(self) -> str:
        """Name the row in a test's id."""
        given = "-".join(str(value) for value in self.parameters.values())
        return f"{self.operation}-{self.kind}-{given}-{self.times}-{self.auth_type}"


def refusal(operation: str, status: int, code: str, outcome: str, requests: int, exports: int = 0) -> Row:
    """Make the row for an error body of the service."""
    parameters = {"status": status, "code": code}
    message = f"HTTP {status} {code}" if outcome != RESULT else ""
    return Row(operation, "error", outcome, requests, exports, message, parameters)


ROWS = [
    # An export has no idempotency token: requested again only if it surely did not happen.
    Row(EXPORT, "throttled", RESULT, 4, 1, parameters={"retry_after": 0}, times=3),
    Row(EXPORT, "throttled", RESULT, 2, 1),
    Row(EXPORT, "throttled", RETRY, 1, 0, "HTTP 429 APIGW.0308", times=None, budget=0),
    Row(EXPORT, "locked", FAIL, 1, 0, "HTTP 401 APIGW.0301"),
    Row(EXPORT, "expired_token", FAIL, 1, 0, "HTTP 401 APIGW.0307"),
    Row(EXPORT, "expired_token", RESULT, 2, 1, auth_type="password"),
    Row(EXPORT, "expired_token", FAIL, 2, 0, "HTTP 401 APIGW.0307", times=None, auth_type="password"),
    Row(EXPORT, "skewed_clock", FAIL, 1, 0, "HTTP 401 APIGW.0303"),
    refusal(EXPORT, 400, "DLI.29001", FAIL, 1),
    refusal(EXPORT, 400, "DLI.0003", FAIL, 1),
    refusal(EXPORT, 400, "DLI.10001", RETRY, 1),
    refusal(EXPORT, 403, "APIGW.0302", FAIL, 1),
    refusal(EXPORT, 404, "APIGW.0101", FAIL, 1),
    refusal(EXPORT, 500, "APIGW.0601", RETRY, 1),
    refusal(EXPORT, 503, "APIGW.0613", RETRY, 1),
    Row(EXPORT, "html", RETRY, 1, 0, "HTTP 502"),
    Row(EXPORT, "html", RETRY, 1, 0, "HTTP 504", {"status": 504}),
    Row(EXPORT, "reply", FAIL, 1, 0, "a JSON object was expected", {"status": 200, "body": "<html>login</html>"}),
    Row(
        EXPORT, "reply", FAIL, 1, 0, "redirected to", {"status": 302, "headers": {"Location": "http://x.invalid/"}}
    ),
    Row(EXPORT, "is_success_false", FAIL, 1, 0, "HTTP 200"),
    Row(EXPORT, "no_zip_file", FAIL, 1, 0, "zip_file should list at least one archive"),
    Row(EXPORT, "cut_before", RETRY, 1, 0, "Whether the request took effect is unknown"),
    Row(EXPORT, "reset_before", RETRY, 1, 0, "Whether the request took effect is unknown"),
    Row(EXPORT, "cut_after", RETRY, 1, 1, "Whether the request took effect is unknown"),
    Row(EXPORT, "reset_after", RETRY, 1, 1, "Whether the request took effect is unknown"),
    Row(EXPORT, "slow", RETRY, 1, 1, "Whether the request took effect is unknown", {"after": 4}),
    # Reading twice does no harm.
    Row(LIST, "throttled", RESULT, 3, 0, parameters={"retry_after": 0}, times=2),
    Row(LIST, "html", RESULT, 2, 0),
    refusal(LIST, 500, "APIGW.0605", RESULT, 2),
    refusal(LIST, 400, "DLI.0999", RESULT, 2),
    refusal(LIST, 400, "DLI.23001", FAIL, 1),
    Row(LIST, "cut_before", RESULT, 2, 0),
    Row(LIST, "cut_after", RESULT, 2, 0),
    Row(LIST, "locked", FAIL, 1, 0, "HTTP 401 APIGW.0301"),
    Row(LIST, "html", RETRY, 1, 0, "HTTP 502", times=None, budget=0),
    Row(SHOW, "reset_after", RESULT, 2, 0),
    Row(SHOW, "slow", RESULT, 2, 0, parameters={"before": 4}),
    refusal(SHOW, 400, "DLI.16001", FAIL, 1),
    Row(SHOW, "expired_token", RESULT, 2, 0, auth_type="password"),
]


def outcomes() -> dict[tuple[str, str], str]:
    """Read how tasks end, by the column of the task and the name of the fault."""
    with OUTCOMES.open(encoding="utf-8", newline="") as file:
        return {
            (column, row["fault"]): end
            for row in csv.DictReader(file)
            for column, end in row.items()
            if column != "fault" and end
        }


def page() -> str:
    """Return the page with today's tables."""
    ends = outcomes()
    tables = [
        f"{len(ends):,} cells.",
        "",
        "## DLI",
        "",
        *_matrix("dli", ends),
        "",
        "## OBS",
        "",
        *_matrix("obs", ends),
        "",
        "## Calls of the hook",
        "",
        "Sync and async alike (`tests/faults/test_faults.py`). The export operator reconciles an unknown outcome:",
        "see [lost responses](../retries.md#lost-responses).",
        "",
        *_calls(),
    ]
    return with_section(PAGE.read_text(encoding="utf-8"), "faults", "\n".join(tables) + "\n")


def _matrix(service: str, ends: Mapping[tuple[str, str], str]) -> list[str]:
    tasks = [task for task in TASKS if task.service == service]
    return [
        f"| fault | {' | '.join(map(str, tasks))} |",
        f"|---|{'---|' * len(tasks)}",
        *(_row(kind, tasks, ends) for kind in KINDS if service in kind.service.split()),
    ]


def _row(kind: Kind, tasks: Sequence[Task], ends: Mapping[tuple[str, str], str]) -> str:
    letters = [ends.get((task.column, str(kind)), "") for task in tasks]
    return f"| {_cell(kind.meaning)} | {' | '.join(letters)} |"


def _calls() -> list[str]:
    lines = [
        "| operation | fault | strikes | credentials | outcome | requests | archives | message |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        given = ", ".join(f"{name}={_cell(value)}" for name, value in row.parameters.items())
        strikes = "always" if row.times is None else f"{row.times}×"
        budget = "" if row.budget else ", retry_budget 0"
        cells = [
            row.operation,
            f"`{row.kind}`{f' ({given})' if given else ''}",
            f"{strikes}{budget}",
            row.auth_type,
            row.outcome,
            str(row.requests),
            str(row.exports) if row.operation == EXPORT else "–",
            row.message or "–",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
