"""``make live``: query an account for what the manual leaves open, and write a report that may be sent back.

Reads only, unless ``--write --scratch BUCKET/PREFIX`` is given. The account is the Airflow connection
``dli_default``, most easily the environment variable ``AIRFLOW_CONN_DLI_DEFAULT``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

import reading
import report
from archives import Archive
from drafts import Drafts
from exports import Exports
from guard import Guard
from masking import Mask
from points import Finding, Outcome, Question, Result, skipped
from sending import Sender

from airflow_provider_dli import __version__
from airflow_provider_dli.client.errors import DliClientError
from airflow_provider_dli.client.locations import parse_archive, parse_directory
from airflow_provider_dli.exceptions import DliException, DliFailException
from airflow_provider_dli.hooks.dli import DliHook
from airflow_provider_dli.hooks.obs import ObsHook

CONNECTION, DENIED, USER = "dli_default", "dli_denied", "dli_user"
_DRAFTS = "needs --jobs as well: drafts of its own, never run, deleted at the end"
_WRITING = "needs --write --scratch BUCKET/PREFIX: it exports"
_READING = "needs --archive BUCKET/KEY, an archive that is there, or --write --scratch BUCKET/PREFIX"
_USER = "needs AIRFLOW_CONN_DLI_USER: an IAM user who does not see all jobs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Send everything that is allowed.

    :param arguments: of the command line; None takes those of the process
    :returns: 0; 1 if a question had no response or something was left behind; 2 if nothing was sent
    """
    options = _options(arguments)
    mask = Mask()
    try:
        sender = _asker(CONNECTION, options, mask)
    except (DliException, DliFailException, DliClientError) as error:
        print(
            f"live: {error}\nSet AIRFLOW_CONN_DLI_DEFAULT; docs/howto/connect.md has each form.", file=sys.stderr
        )
        return 2
    with sender:
        findings, left = _query(sender, options, mask)
    about = _about(sender, options)
    print("\n".join(report.table(findings)))
    files = report.write(options.out, about, findings, mask)
    print(f"\n{report.summary(findings)}. To send back: {', '.join(map(str, files))}")
    if left:
        print(f"LEFT BEHIND, delete by hand: {left}", file=sys.stderr)
    return int(bool(left) or any(each.outcome == "failed" for each in findings))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make live", description=__doc__)
    parser.add_argument("--write", action="store_true", help="also export, below --scratch")
    parser.add_argument("--scratch", metavar="BUCKET/PREFIX", help="where exports may go")
    parser.add_argument("--archive", metavar="BUCKET/KEY", help="an exported archive to read")
    parser.add_argument("--jobs", action="store_true", help="also make drafts, and delete them")
    parser.add_argument("--keep", action="store_true", help="leave the exported archives where they are")
    parser.add_argument("--out", type=Path, default=Path("live-report"), help="folder of the report")
    options = parser.parse_args(arguments)
    options.run = f"live-{datetime.now(UTC):%Y%m%dt%H%M%S}-{token_hex(3)}"
    if (options.write or options.jobs) and not (options.write and options.scratch):
        parser.error("--write and --jobs need --write --scratch BUCKET/PREFIX")
    if options.archive:
        try:
            parse_archive("--archive", options.archive)
        except DliClientError as error:
            parser.error(str(error))
    if options.scratch:
        try:
            place = parse_directory("--scratch", options.scratch)
        except DliClientError as error:
            parser.error(str(error))
        if not place.key:
            parser.error(f"--scratch: {options.scratch!r} is a whole bucket; give BUCKET/PREFIX")
        options.scratch = f"{place.bucket}/{place.key}"
    return options


def _asker(conn_id: str, options: argparse.Namespace, mask: Mask) -> Sender:
    hook = DliHook(conn_id)
    account = hook.account
    connection = hook.get_connection(conn_id)
    for kind, value in (("key", connection.login), ("secret", connection.password)):
        mask.learn(kind, value)
    for name, value in connection.extra_dejson.items():
        if name not in {"region", "cloud", "auth_type"}:
            mask.learn(name, value)
    for place in (options.scratch, options.archive):
        if place:
            mask.learn("bucket", place.partition("/")[0])
    guard = Guard(
        folder=f"{options.scratch}/{options.run}" if options.write else None,
        nowhere=f"{options.run}-nowhere" if options.write else None,
        jobs=options.jobs,
    )
    sender = Sender(account, guard, mask)
    mask.learn("project", hook.project_id)
    return sender


def _query(sender: Sender, options: argparse.Namespace, mask: Mask) -> tuple[list[Finding], str]:
    """Send; return what is left behind in words, though nothing should be."""
    findings = [question.response() for question in reading.questions(sender)]
    findings.append(_denied(options, mask).response())
    left: list[str] = []
    exports = Exports(sender, ObsHook(CONNECTION), sender.guard.folder or "", sender.guard.nowhere or "")
    users = _of_user(sender, exports, options, mask)
    if options.archive:
        archive = Archive(exports.obs, options.archive, exports.names())
        findings += [question.response() for question in archive.questions()]
    if options.write:
        questions = [*exports.questions(), *users]
        findings += _and_clear_up(questions, lambda: options.keep or exports.clear_up(), left)
    else:
        findings += [question.response() for question in users]
        findings += [skipped(point, "all of it", _WRITING).response() for point in (2, 3, 4, 5, 16)]
        if not options.archive:
            findings += [skipped(point, "all of it", _READING).response() for point in (1, 15)]
    if options.jobs:
        drafts = Drafts(sender, options.run)
        findings += _and_clear_up(drafts.questions(), drafts.clear_up, left)
        left += [f"job {job_id}" for job_id in drafts.made]
    else:
        findings += [skipped(point, "all of it", _DRAFTS).response() for point in (11, 14)]
    findings += [question.response() for question in reading.closing_questions(sender)]
    return sorted(findings, key=lambda finding: finding.point), "; ".join(left)


def _and_clear_up(questions: list[Question], clear_up: Callable[[], object], left: list[str]) -> list[Finding]:
    try:
        return [question.response() for question in questions]
    finally:
        try:
            clear_up()
        except Exception as error:  # noqa: BLE001 - whatever it is, the report is still to be written
            left.append(f"clearing up failed with {type(error).__name__}")


def _denied(options: argparse.Namespace, mask: Mask) -> Question:
    text = "a list, requested by somebody without permission"
    try:
        sender = _asker(DENIED, options, mask)
    except (DliException, DliFailException, DliClientError):
        return skipped(9, text, "needs AIRFLOW_CONN_DLI_DENIED: a user of the account without permissions on DLI")

    def put() -> Result:
        with sender:
            return reading.denied(sender)

    return Question(9, text, put)


def _of_user(sender: Sender, exports: Exports, options: argparse.Namespace, mask: Mask) -> list[Question]:
    """Return the questions that compare another user with that of the connection."""
    try:
        user = _asker(USER, options, mask)
    except (DliException, DliFailException, DliClientError):
        return [skipped(point, "all of it", _USER) for point in (13, 17)]

    def listed() -> Result:
        with user:
            return reading.visibility(sender, user)

    def exported() -> Result:
        with user:
            return exports.of_user(user)

    place = options.scratch or (options.archive and options.archive.rpartition("/")[0])
    questions = [
        Question(13, "the list of an IAM user", listed),
        Question(17, "an object that is not there", lambda: _not_there(place))
        if place
        else skipped(17, "an object that is not there", _READING),
    ]
    if options.write:
        questions.append(Question(13, "an export of all jobs of an IAM user", exported))
    else:
        questions.append(skipped(13, "an export of all jobs of an IAM user", _WRITING))
    return questions


def _not_there(place: str) -> Result:
    try:
        facts = ObsHook(USER).find(f"{place}/{token_hex(8)}.zip")
    except (DliException, DliFailException) as error:
        return Outcome.DECIDED, f"refused: {type(error.error or error).__name__}", {}
    return Outcome.DECIDED, "not found" if facts is None else "found", {}


def _about(sender: Sender, options: argparse.Namespace) -> dict[str, Any]:
    parts = ["read", *(["write"] if options.write else []), *(["jobs"] if options.jobs else [])]
    return {
        "airflow-provider-dli": __version__,
        "sent on": f"{datetime.now(UTC):%Y-%m-%d}",
        "region": sender.account.region,
        "parts": ", ".join(parts),
        "responses": sum(sender.seen.values()),
    }


if __name__ == "__main__":
    sys.exit(main())
