"""The command line: a report a file, and an exit status."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_dli.archive import inspect
from airflow_provider_dli.archive.__main__ import EPILOG, main


@pytest.fixture
def sound(tmp_path: Path, maker: Any) -> Path:
    path = tmp_path / "sound.zip"
    path.write_bytes(maker.build(maker.Member()))
    return path


@pytest.fixture
def broken(tmp_path: Path, maker: Any) -> Path:
    path = tmp_path / "bro\x1bken.zip"
    path.write_bytes(maker.build(maker.Member(b"a\nb", local={"crc": 1})))
    return path


def test_sound_archive(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 0, one line and the hashes."""
    assert main([str(sound), "--md5"]) == 0
    report = inspect(io.BytesIO(sound.read_bytes()), md5=True)
    assert capsys.readouterr().out == (
        f"{sound}: sound (1 entries, {report.size} bytes, level full)\n"
        f"  sha256 {report.sha256}\n  md5 {report.md5}\n"
    )


def test_broken_archive(broken: Path, sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1 if any is broken, a line for every finding, nothing that a terminal obeys."""
    assert main([str(broken), str(sound)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("bro\\x1bken.zip: 1 defect (1 entries, 189 bytes, level full)")
    assert [line.split()[1] for line in lines[2:4]] == ["control-character-in-name", "crc-mismatch"]
    assert "in 'a\\nb' at byte 0" in lines[3]


def test_json(broken: Path, sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line."""
    assert main([str(sound), str(broken), "--json", "--level", "directory"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["file"], first["sound"], first["level"]) == (str(sound), True, "directory")
    assert [finding["code"] for finding in second["findings"]] == ["control-character-in-name"]


def test_expected_jobs(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They can be named."""
    assert main([str(sound), "--expect", "101", "--expect", "orders"]) == 0
    assert main([str(sound), "--expect", "999", "--min-entries", "2"]) == 1
    assert "2 defects" in capsys.readouterr().out


def test_unreadable_file(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, and the other files are inspected all the same."""
    assert main([str(tmp_path / "none.zip"), str(tmp_path), str(sound)]) == 2
    output = capsys.readouterr()
    assert "none.zip: cannot be read: No such file or directory" in output.err
    assert "sound.zip: sound" in output.out


@pytest.mark.parametrize("arguments", [[], ["--level", "fast", "x"], ["--min-entries", "many", "x"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2 and the usage."""
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert capsys.readouterr().err.startswith("usage: python -m airflow_provider_dli.archive")


def test_the_help_tells_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts go by it."""
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert EPILOG in told
    assert "Prove ZIP archives whole." in told


def test_as_a_process(broken: Path) -> None:
    """It runs by its name, without Airflow."""
    command = [sys.executable, "-m", "airflow_provider_dli.archive", str(broken)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "crc-mismatch" in done.stdout
