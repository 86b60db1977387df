"""The command line: a report a file, and an exit status."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_dli.archive import inspect
from airflow_provider_dli.archive.__main__ import EPILOG, main


@pytest.fixture
def intact(tmp_path: Path, maker: Any) -> Path:
    path = tmp_path / "intact.zip"
    path.write_bytes(maker.build(maker.Member()))
    return path


@pytest.fixture
def broken(tmp_path: Path, maker: Any) -> Path:
    path = tmp_path / "bro\x1bken.zip"
    path.write_bytes(maker.build(maker.Member(b"a\nb", local={"crc": 1})))
    return path


def test_intact_archive(intact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 0, one line and the hashes."""
    assert main([str(intact), "--md5"]) == 0
    report = inspect(io.BytesIO(intact.read_bytes()), md5=True)
    assert capsys.readouterr().out == (
        f"{intact}: verified (1 entries, {report.size} bytes, level full)\n"
        f"  sha256 {report.sha256}\n  md5 {report.md5}\n"
    )


def test_broken_archive(broken: Path, intact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1 if any is broken, a line for every finding, nothing that a terminal obeys."""
    assert main([str(broken), str(intact)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("bro\\x1bken.zip: 1 defect (1 entries, 189 bytes, level full)")
    assert [line.split()[1] for line in lines[2:4]] == ["control-character-in-name", "crc-mismatch"]
    assert "in 'a\\nb' at byte 0" in lines[3]


def test_json(broken: Path, intact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line."""
    assert main([str(intact), str(broken), "--json", "--level", "directory"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["file"], first["verified"], first["level"]) == (str(intact), True, "directory")
    assert [finding["code"] for finding in second["findings"]] == ["control-character-in-name"]


def test_expected_jobs(intact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They can be named."""
    assert main([str(intact), "--expect", "101", "--expect", "orders"]) == 0
    assert main([str(intact), "--expect", "999", "--min-entries", "2"]) == 1
    assert "2 defects" in capsys.readouterr().out


def test_unreadable_file(intact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, and the other files are inspected all the same."""
    assert main([str(tmp_path / "none.zip"), str(tmp_path), str(intact)]) == 2
    output = capsys.readouterr()
    assert "none.zip: cannot be read: No such file or directory" in output.err
    assert "intact.zip: verified" in output.out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "the following arguments are required: FILE"),
        (["--level", "fast", "x"], "argument --level: invalid choice: 'fast'"),
        (["--min-entries", "many", "x"], "argument --min-entries: must be a whole number, 0 or more, not 'many'"),
        (["--min-entries=-1", "x"], "argument --min-entries: must be a whole number, 0 or more, not '-1'"),
        (["--min-entries", "-1", "x"], "argument --min-entries: "),
        (["--expect", "", "x"], "argument --expect: must be the id or name of a job, not ''"),
        (["--expect", " ", "x"], "argument --expect: must be the id or name of a job, not ' '"),
    ],
    ids=str,
)
def test_wrong_usage(arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, the usage, and the argument with what would be right."""
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    printed = capsys.readouterr().err
    assert printed.startswith("usage: python -m airflow_provider_dli.archive")
    assert problem in printed


def test_the_help_has_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts go by it."""
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert EPILOG in shown
    assert "Verify ZIP archives." in shown


def test_as_a_process(broken: Path) -> None:
    """It runs by its name, without Airflow."""
    command = [sys.executable, "-m", "airflow_provider_dli.archive", str(broken)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "crc-mismatch" in done.stdout


COMMAND = [sys.executable, "-m", "airflow_provider_dli.archive"]


def piped(command: str, *files: Path, **environment: str) -> tuple[int, str, str]:
    """Run it in a shell, as ``$CLI``; its exit status is printed at the end."""
    settings = {**os.environ, "CLI": " ".join(COMMAND), **environment}
    shell = ["bash", "-c", f'{command}; echo "status ${{PIPESTATUS[0]}}"', "bash", *map(str, files)]
    done = subprocess.run(shell, capture_output=True, text=True, check=True, env=settings, timeout=120)
    output, _, status = done.stdout.rpartition("status ")
    return int(status), output, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("reader", "options"), [("head -1", ""), ("head -c 1", "--json"), ("true", "--md5")])
def test_a_reader_that_stops_changes_no_verdict(intact: Path, broken: Path, reader: str, options: str) -> None:
    """No traceback, and the exit status is that of all files."""
    command = f'$CLI {options} "$@" | {reader}'
    for files, expected in (((intact,) * 30, 0), ((intact,) * 30 + (broken,), 1), ((intact, Path("none.zip")), 2)):
        status, _, errors = piped(command, *files)
        assert status == expected
        assert "Traceback" not in errors
        assert "Exception" not in errors


@pytest.mark.slow
@pytest.mark.parametrize("redirected", ["2>&1 | true", "2>&-", "> /dev/null"])
def test_the_exit_status_without_a_reader(intact: Path, broken: Path, redirected: str) -> None:
    """The exit status remains."""
    assert piped(f'$CLI "$@" {redirected}', intact)[0] == 0
    assert piped(f'$CLI "$@" {redirected}', intact, broken)[0] == 1
    assert piped(f'$CLI "$@" {redirected}', intact, intact.with_name("none"), broken)[0] == 2


def test_a_report_to_a_closed_stream_is_not_written(intact: Path) -> None:
    """Nobody can have read it, so the status is not that of an intact archive."""
    status, _, errors = piped('$CLI "$@" >&-', intact)
    assert (status, errors) == (2, "the report cannot be written to standard output: it is closed\n")
    assert piped('$CLI "$@" >&- 2>&-', intact)[0] == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_a_report_that_cannot_be_written_has_its_own_status(intact: Path) -> None:
    """Who keeps the report must not take the status for it."""
    status, _, errors = piped('$CLI "$@" > /dev/full', intact)
    assert (status, errors.count("\n")) == (2, 1)
    assert "the report cannot be written to standard output: No space left on device" in errors


@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}], ids=str
)
def test_names_that_the_terminal_cannot_show(tmp_path: Path, maker: Any, environment: dict[str, str]) -> None:
    """Are spelled out."""
    path = tmp_path / "größe-値.zip"
    path.write_bytes(maker.build(maker.Member("größe.json".encode(), flags=1 << 11, central={"crc": 1})))
    status, output, errors = piped('$CLI "$@"', path, **environment)
    assert (status, errors) == (1, "")
    assert "bad-crc" in output
    status, _, errors = piped('$CLI "$@"', path.with_name("größe"), **environment)
    assert status == 2
    assert "Traceback" not in errors


def test_files_that_cannot_be_read(tmp_path: Path, intact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe is not waited for; a file without bytes is a broken archive; the others are inspected."""
    pipe, empty, locked = (tmp_path / name for name in ("pipe", "empty", "loop"))
    os.mkfifo(pipe)
    empty.touch()
    locked.symlink_to(locked)
    assert main([str(empty)]) == 1
    assert "empty-file" in capsys.readouterr().out
    for path in (pipe, tmp_path, locked, Path(os.devnull), tmp_path / ("x" * 5000), tmp_path / "no" / "where"):
        assert main([str(path), str(intact)]) == 2
        output = capsys.readouterr()
        assert "cannot be read: " in output.err
        assert "intact.zip: verified" in output.out


@pytest.mark.slow
def test_an_interrupt_has_no_traceback(tmp_path: Path, writers: Any) -> None:
    """It has its own status, so that nobody takes it for a verdict."""
    path = tmp_path / "large.zip"
    path.write_bytes(writers.zipped({"a.bin": writers.noise(2_000_000)}))
    # A shell lets what it runs in the background ignore interrupts, and so did this command.
    reset = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = [sys.executable, "-c", reset, *COMMAND, *([str(path)] * 5000)]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as running:
        assert running.stdout
        assert "verified" in running.stdout.readline()
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=120)
    assert (running.returncode, errors) == (130, "interrupted\n")
