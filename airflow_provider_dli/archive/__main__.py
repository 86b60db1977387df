"""``python -m airflow_provider_dli.archive FILE…``: verify archives without Airflow."""

from __future__ import annotations

import argparse
import json
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from airflow_provider_dli.archive import Expectation, Report, inspect
from airflow_provider_dli.archive.console import INTERRUPTED, write
from airflow_provider_dli.archive.report import escape

EPILOG = (
    "exit status: 0 all archives are verified, 1 at least one failed, 2 a file cannot be read, the report cannot "
    "be written, or the usage is wrong, 130 interrupted; it is the same if nobody reads the report to its end"
)
DEFECTS, UNREADABLE = 1, 2


def main(arguments: list[str] | None = None) -> int:
    """Inspect each file and print a report on it.

    :param arguments: of the command line; default those of the process.
    :returns: 0, 1, 2 or 130, see :data:`EPILOG`.
    """
    options = _parser().parse_args(arguments)
    expect = Expectation(tuple(options.expect), options.min_entries)
    try:
        return max([_inspect(path, options, expect) for path in options.files])
    except KeyboardInterrupt:
        write("interrupted", sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_dli.archive", description="Verify ZIP archives.", epilog=EPILOG
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--level",
        choices=("directory", "full"),
        default="full",
        help="what to read: the central directory at the file's end, or every byte (default)",
    )
    parser.add_argument(
        "--expect",
        action="append",
        default=[],
        type=_job,
        metavar="JOB",
        help="an id or name that must be found in names of entries, JSON, text, archives within; may be repeated",
    )
    parser.add_argument("--min-entries", type=_count, default=1, metavar="N", help="fewest files; default 1")
    parser.add_argument("--md5", action="store_true", help="also print the MD5 of each file")
    parser.add_argument(
        "--fingerprint",
        action="store_true",
        help="also print the shapes of entries and contents, without values or names",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a file, each on a line")
    return parser


def _job(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError(f"must be the id or name of a job, not {text!r}")
    return text


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number, 0 or more, not {text!r}")
    return int(text)


def _inspect(path: Path, options: argparse.Namespace, expect: Expectation) -> int:
    try:
        with _open(path) as file:
            report = inspect(file, options.level, md5=options.md5, expect=expect, fingerprint=options.fingerprint)
    except OSError as error:
        write(f"{escape(str(path))}: cannot be read: {error.strerror or error}", sys.stderr)
        return UNREADABLE
    if options.json:
        is_printed = write(json.dumps({"file": str(path), **report.as_dict()}), sys.stdout)
    else:
        is_printed = write("\n".join(_lines(path, report)), sys.stdout)
    return UNREADABLE if not is_printed else 0 if report.verified else DEFECTS


def _open(path: Path) -> BinaryIO:
    if not path.is_dir() and not stat.S_ISREG(path.stat().st_mode):
        raise OSError(None, "it is not a regular file")  # a pipe would be waited for
    return path.open("rb")


def _lines(path: Path, report: Report) -> list[str]:
    errors = len(report.errors)
    verdict = f"{errors} defect{'s' if errors > 1 else ''}" if errors else "verified"
    facts = f"{len(report.entries)} entries, {report.size} bytes, level {report.level}"
    hashes = [f"  {name} {value}" for name, value in (("sha256", report.sha256), ("md5", report.md5)) if value]
    findings = [f"  {finding}" for finding in report.findings]
    layout = [f"  {group}" for group in report.fingerprint]
    return [f"{escape(str(path))}: {verdict} ({facts})", *hashes, *findings, *layout]


if __name__ == "__main__":
    sys.exit(main())
