"""The command line of a catalogue: ``python -m airflow_provider_dli.backups``, and ``airflow dli``.

Airflow imports this module whenever its command line starts, so it imports nothing but the standard library; what
a command does is in modules that are imported when it runs. See ``docs/command-line.md``.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_dli.archive.console import INTERRUPTED, write

if TYPE_CHECKING:
    from airflow.cli.cli_config import GroupCommand

PROGRAM = "python -m airflow_provider_dli.backups"
#: of the JSON that ``--json`` prints
SCHEMA_VERSION = 1
#: bytes of the file of a connection
_MAX_CONNECTION = 1 << 20


class Status(IntEnum):
    """The exit status of a command: that of a monitoring plugin."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class Result:
    """What a command has found.

    :param status: its exit status
    :param document: for ``--json``
    :param lines: for people; nothing in them is escaped yet that ``document`` has as it came
    """

    status: Status
    document: Mapping[str, Any]
    lines: Sequence[str]


@dataclass(frozen=True)
class Argument:
    """An argument of a command.

    :param flags: its name, or its options
    :param options: of ``ArgumentParser.add_argument``
    """

    flags: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Command:
    """A command.

    :param name: as it is written
    :param help: in one line
    :param exits: what its exit status means
    :param function: that runs it, imported then
    :param arguments: its own; those of all commands are :data:`COMMON`
    """

    name: str
    help: str
    exits: str
    function: str
    arguments: tuple[Argument, ...]

    def run(self, options: argparse.Namespace) -> Result:
        """Run it.

        :raises DliException: if the catalogue, or what else it needs, cannot be read or written
        """
        module, _, name = self.function.partition(":")
        result: Result = getattr(import_module(f"airflow_provider_dli.backups.{module}"), name)(options)
        return result


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,6})(s|m|min|h|d)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"must be such as 90m, 26h or 7d, not {text!r}")
    unit = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days"}[match[2]]
    return timedelta(**{unit: int(match[1])})


def _conn_id(text: str) -> str:
    if not re.fullmatch(r"[\w.-]{1,200}", text):
        raise argparse.ArgumentTypeError(f"must be the id of a connection, not {text!r}")
    return text


def _argument(*flags: str, **options: Any) -> Argument:  # noqa: ANN401 -- argparse's
    return Argument(flags, options)


_BACKUP_DIR = _argument("backup_dir", metavar="BACKUP_DIR", help="bucket, or bucket/directory, of the catalogue")
_PROJECT = _argument("--project", metavar="ID", help="only this project")
_ID = _argument("backup", metavar="ID", help="id of a backup, or its first 8 characters, or latest")
COMMON = (
    _argument(
        "--conn-id",
        type=_conn_id,
        default="dli_default",
        metavar="ID",
        help="connection, from the environment variable AIRFLOW_CONN_ and its id; default dli_default",
    ),
    _argument("--connection", type=Path, metavar="FILE", help="file with the connection as JSON or URI"),
    _argument("--json", action="store_true", help="print one JSON document"),
)
_READS = "0 printed; 3 the catalogue cannot be read"
COMMANDS = (
    Command(
        "list",
        "list the backups of a catalogue, oldest first",
        _READS,
        "commands:list_backups",
        (
            _BACKUP_DIR,
            _PROJECT,
            _argument(
                "--state",
                choices=("verified", "damaged", "unreadable", "incomplete", "expiring", "expired"),
                help="only backups in this state",
            ),
        ),
    ),
    Command(
        "show",
        "show one backup: its manifest, archives and records",
        _READS,
        "commands:show_backup",
        (_BACKUP_DIR, _ID, _PROJECT, _argument("--jobs", action="store_true", help="also its jobs")),
    ),
    Command(
        "check",
        "check whether each project has a young backup, and every backup its archives",
        "0 all is well; 1 a warning; 2 jobs could not be restored as they should; 3 the catalogue cannot be read",
        "check:check_catalogue",
        (
            _BACKUP_DIR,
            _PROJECT,
            _argument(
                "--max-age",
                type=_duration,
                default=timedelta(hours=26),
                metavar="AGE",
                help="of the newest verified backup of a project, such as 90m, 26h, 7d; default 26h",
            ),
            _argument(
                "--level",
                choices=("exists", "directory", "full"),
                default="directory",
                help="at which a backup must have been verified; default directory",
            ),
            _argument(
                "--live", action="store_true", help="also compare the live jobs of the connection's project"
            ),
        ),
    ),
    Command(
        "diff",
        "compare two backups, or a backup with the jobs of its project now",
        "0 equal; 1 different; 3 one of them cannot be read",
        "commands:diff",
        (
            _BACKUP_DIR,
            _argument("before", metavar="OLD", help="id of a backup, or its first 8 characters, or latest"),
            _argument("after", metavar="NEW", help="the same of another, or now: the connection's project"),
            _PROJECT,
            _argument("--by-name", action="store_true", help="with now: jobs are the same by name, not by id"),
            _argument("--show-values", action="store_true", help="show whole values, which may be secrets"),
        ),
    ),
    Command(
        "verify",
        "read backups to their last byte again, and record it; those first whose verification is oldest",
        "0 all that were read are intact; 2 one is damaged, or one that is named was deleted or never completed; "
        "3 one could not be read",
        "commands:verify",
        (
            _BACKUP_DIR,
            _argument("backups", nargs="*", metavar="ID", help="only these backups"),
            _PROJECT,
            _argument("--max-bytes", metavar="SIZE", help="read about so much, such as 100 GiB"),
            _argument("--read-only", action="store_true", help="write no record"),
        ),
    ),
    Command(
        "page",
        "write the page of a catalogue: one file of HTML",
        "0 written; 3 the catalogue cannot be read, or the file not be written",
        "commands:page",
        (
            _BACKUP_DIR,
            _argument("--output", type=Path, metavar="FILE", help="write it there, and not to standard output"),
        ),
    ),
    Command(
        "hold",
        "keep a backup from being deleted",
        "0 held; 3 it cannot be held",
        "commands:hold_backup",
        (
            _BACKUP_DIR,
            _ID,
            _PROJECT,
            _argument("--reason", required=True, metavar="TEXT", help="such as the number of a ticket"),
        ),
    ),
    Command(
        "release",
        "end all holds of a backup",
        "0 it is not held any more; 3 it cannot be released",
        "commands:release_backup",
        (_BACKUP_DIR, _ID, _PROJECT),
    ),
    Command(
        "preflight",
        "check all that backups need, before the first night",
        "0 all is well; 1 a warning; 2 backups would fail or be lost; 3 something is not known, and nothing worse",
        "preflight:preflight",
        (
            _BACKUP_DIR,
            _argument("--scratch-conn-id", type=_conn_id, metavar="ID", help="also the connection for drills"),
            _argument("--export", action="store_true", help="also export one job, and delete its archive"),
        ),
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status.

    :param arguments: of the command line; default those of the process
    """
    given = sys.argv[1:] if arguments is None else arguments
    try:
        options = _parser().parse_args(given)
    except _WrongUsage as wrong:
        name = wrong.parser.prog.removeprefix(PROGRAM).strip() or None
        if "--json" in given:
            write(_json(name, Status.UNKNOWN, {"error": str(wrong)}), sys.stdout)
        write(f"{wrong.parser.format_usage()}{wrong.parser.prog}: error: {wrong}", sys.stderr)
        return Status.UNKNOWN
    return run(options.command, options, is_standalone=True)


def _json(command: str | None, status: Status, document: Mapping[str, Any]) -> str:
    head = {"schema_version": SCHEMA_VERSION, "command": command, "status": status.name}
    return json.dumps({**head, **document}, indent=1)


def airflow_commands() -> list[GroupCommand]:
    """Return the commands as Airflow has them: ``airflow dli list …``. Airflow 3.2 and later call this."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand  # noqa: PLC0415 -- only there

    argument: Any = Arg  # it has no types
    # Airflow has its own ways to find a connection.
    common = [each for each in COMMON if each.flags != ("--connection",)]
    commands = [
        ActionCommand(
            name=command.name,
            help=command.help,
            epilog=f"exit status: {command.exits}; 130 interrupted",
            func=partial(_run_in_airflow, command),
            args=[argument(each.flags, **each.options) for each in (*command.arguments, *common)],
        )
        for command in COMMANDS
    ]
    return [GroupCommand(name="dli", help="Work with the backups of Flink jobs in OBS", subcommands=commands)]


def _run_in_airflow(command: Command, options: argparse.Namespace) -> NoReturn:
    # As "airflow connections get" has it: the connections in the database, too.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    for handler in logging.root.handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
            handler.setStream(sys.stderr)
    sys.exit(run(command, options, is_standalone=False))


class _WrongUsage(Exception):  # noqa: N818 -- the usage is wrong
    """The arguments cannot be used."""

    def __init__(self, parser: argparse.ArgumentParser, message: str) -> None:
        super().__init__(message)
        self.parser = parser


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Do not exit: 2 would be CRITICAL to a monitoring system."""
        raise _WrongUsage(self, message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=PROGRAM, description="Work with the backups of Flink jobs in OBS.", allow_abbrev=False)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        exits = f"exit status: {command.exits}, or wrong usage; 130 interrupted"
        sub = subparsers.add_parser(
            command.name, help=command.help, description=command.help, epilog=exits, allow_abbrev=False
        )
        for argument in (*command.arguments, *COMMON):
            sub.add_argument(*argument.flags, **argument.options)
        sub.set_defaults(command=command)
    return parser


def run(command: Command, options: argparse.Namespace, *, is_standalone: bool) -> int:
    """Run a command, and print what it found; return its exit status.

    :param options: its arguments
    :param is_standalone: whether Airflow's other ways to find a connection are not used
    """
    try:
        # Nothing that is logged meanwhile is a part of the output; Airflow 2 logs to standard output.
        with redirect_stdout(sys.stderr):
            result = _run(command, options, is_standalone=is_standalone)
        in_json = _json(command.name, result.status, result.document) if options.json else None
        text = in_json or "\n".join(result.lines)
        is_printed = write(text, sys.stdout)
    except KeyboardInterrupt:
        write("interrupted", sys.stderr)
        return INTERRUPTED
    return result.status if is_printed else Status.UNKNOWN


def _run(command: Command, options: argparse.Namespace, *, is_standalone: bool) -> Result:
    from airflow_provider_dli.exceptions import DliException  # noqa: PLC0415 -- it imports Airflow

    try:
        with _connected(options) if is_standalone else nullcontext():
            return command.run(options)
    except DliException as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001 -- Python's own exit status would be that of a warning
        traceback.print_exc()
        problem = f"{type(error).__name__}, which should not happen: {error!r}"
    return Result(Status.UNKNOWN, {"error": problem}, [f"{Status.UNKNOWN.name}: {problem}"])


@contextmanager
def _connected(options: argparse.Namespace) -> Iterator[None]:
    """Have the connection in the environment, from where hooks read it without Airflow's database.

    :raises DliFailException: if it is not there
    """
    if find_spec("airflow.sdk") is None:
        # Airflow 2 reads no connection, not even of the environment, before it knows all of its models.
        import_module("airflow.models").import_all_models()
    variable = f"AIRFLOW_CONN_{options.conn_id.upper()}"
    before = os.environ.get(variable)
    if options.connection:
        os.environ[variable] = _text_of(options.connection)
    elif before is None:
        raise _failure(
            f"connection {options.conn_id!r} is not in the environment.",
            f"Set {variable} to its JSON or URI, or give --connection FILE.",
        )
    try:
        yield
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before


def _text_of(path: Path) -> str:
    """Return the connection in a file, which may be a pipe."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_CONNECTION + 1)
    except OSError as error:
        raise _failure(f"--connection: {path} cannot be read: {error.strerror or error}") from None
    try:
        text = content.decode().strip()
    except ValueError:
        text = ""
    if not text or len(content) > _MAX_CONNECTION or "\0" in text:
        raise _failure(f"--connection: {path} does not hold a connection.", "Give its JSON, or its URI.")
    return text


def _failure(message: str, advice: str | None = None) -> Exception:
    from airflow_provider_dli.exceptions import DliFailException  # noqa: PLC0415 -- it imports Airflow

    return DliFailException(message, advice=advice)
