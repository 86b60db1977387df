"""What goes wrong in the comparison, and what would be right then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EXPORT = "ExportFlinkJobs"
SUCCEEDED, FAILED = "succeeded", "failed"


@dataclass(frozen=True)
class Mishap:
    """One thing that goes wrong.

    :param title: for the page
    :param right: the state in which the DAG run should end
    :param kind: of the emulator's fault; None for none
    :param times: how often it strikes; None for always
    :param parameters: of the fault
    :param settings: of the emulator
    :param wrong_secret: whether the connection has a wrong secret
    :param redirects: whether DLI responds with a redirect to a foreign host
    :param by_token: ours is connected by password too, so that it has a token that can expire
    :param debug: whether everything logs at DEBUG
    :param ways: those that it can happen to; empty for all
    """

    title: str
    right: str
    kind: str | None = None
    times: int | None = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    wrong_secret: bool = False
    redirects: bool = False
    by_token: bool = False
    debug: bool = False
    ways: tuple[str, ...] = ()


_TROUBLE = {"status": 503, "code": "APIGW.0613", "message": "The backend service is unavailable."}
MISHAPS = {
    "none": Mishap("nothing goes wrong", SUCCEEDED),
    "throttled": Mishap("DLI throttles twice (429), then accepts it", SUCCEEDED, "throttled", 2),
    "unavailable": Mishap("503 twice, then DLI accepts it", SUCCEEDED, "error", 2, _TROUBLE),
    "lost": Mishap("DLI exports, its response is lost", SUCCEEDED, "cut_after"),
    "cut": Mishap("the archive is truncated", FAILED, "archive_cut", None),
    "flipped": Mishap("one byte of the archive is wrong", FAILED, "archive_flipped", None),
    "missing": Mishap("the archive is never written", FAILED, "archive_missing", None),
    "late": Mishap("the archive comes 12 s late", SUCCEEDED, "archive_late", 1, {"seconds": 12}),
    "refused": Mishap("HTTP 200 with `is_success: false`", FAILED, "is_success_false", None),
    "boolean": Mishap("`is_success` comes as a boolean", SUCCEEDED, settings={"boolean_is_success": True}),
    "wrong_secret": Mishap("the secret key or password is wrong", FAILED, wrong_secret=True),
    "redirect": Mishap("DLI redirects to a foreign host (307)", FAILED, redirects=True),
    "expired": Mishap(
        "the token has expired (once)", SUCCEEDED, "expired_token", by_token=True, ways=("ours", "http")
    ),
    "debug": Mishap("nothing, but all log at DEBUG", SUCCEEDED, debug=True),
}
